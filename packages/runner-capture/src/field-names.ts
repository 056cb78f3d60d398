/**
 * What a field contains, by its name. `tokens`: secrets, or the counts of a language model. With those, numbers are not secret, and
 * neither are the objects in a list.
 */
export type FieldKind = "secret" | "tokens" | "phone" | "user" | undefined;

/** WhatsApp's id of a person. Other ids in fields of the kind `user` are not secret. */
export const userId: RegExp = /^[A-Z]{2}\.(?:ENT\.)?[A-Za-z\d]+$/;

const secretName =
  /secret|passw|passphrase|passcode|pwd|(?:api|access|private|signing|encryption).?key|authori[sz]ation|credential|signature|cookie|jwt|bearer|token(?!s|i[sz])|^pass$/i;
const tokensName = /tokens/i;
/** `token_type` and `token_count` are not secret. */
const descriptiveName = /(?:count|limit|type|length|usage|ttl|expir(?:y|es|ation)(?:[_.-]?(?:at|in))?)$/i;

const phoneName =
  /phone|mobile|msisdn|whatsapp|wa[_.-]?id|caller[_.-]?id|(?:from|caller|called|callee|calling|contact|dial|dialed|recipient|sender|destination|customer|transfer|callback|cell|fax|sms)[_.-]?num|(?:^|[^a-z])to[_.-]?num|^(?:num|number|numbers)$/i;
const phoneEnding =
  /(?:^|[^a-z])(?:from|to|caller|called|callee|calling|recipient|sender|destination|ani|dnis|clid|cli|tel|cell|fax)s?$/i;
const phoneCamelEnding =
  /[a-z\d](?:From|To|Caller|Called|Callee|Calling|Recipient|Sender|Destination|Ani|Dnis|Tel|Cell|Fax)s?$/;
const userName = /user[_.-]?id$/i;

/** Names that are remembered: a call has few. */
const maxNames = 1_000;

/** Tells the kinds of fields, and remembers those of names that it has seen. */
export function createFieldKinds(): { of(name: string): FieldKind } {
  const kinds = new Map<string, FieldKind>();
  return {
    of(name) {
      const known = kinds.get(name);
      if (known !== undefined || kinds.has(name)) return known;
      const kind = kindOf(name);
      if (kinds.size < maxNames) kinds.set(name, kind);
      return kind;
    },
  };
}

function kindOf(name: string): FieldKind {
  if (secretName.test(name)) return descriptiveName.test(name) ? undefined : "secret";
  if (tokensName.test(name)) return "tokens";
  if (phoneName.test(name) || phoneEnding.test(name) || phoneCamelEnding.test(name)) return "phone";
  return userName.test(name) ? "user" : undefined;
}

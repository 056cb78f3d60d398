import Type, { type TSchema } from "typebox";

/** `POST …/api/offer`, as small-webrtc-transport 1.10.8 and Pipecat's older clients send it. */
export interface OfferBody {
  readonly sdp: string;
  readonly type: "offer";
  /** The `pc_id` of the answer before; none for a first offer. */
  readonly pc_id?: string | null;
  /** Whether the offer is of a new peer, in place of the one that `pc_id` names. */
  readonly restart_pc?: boolean | null;
  /** For the bot: what the page adds to its offer. Two spellings are about. */
  readonly requestData?: unknown;
  readonly request_data?: unknown;
}

/** `PATCH …/api/offer`: candidates that the caller found since. */
export interface CandidatesBody {
  readonly pc_id: string;
  readonly candidates: readonly {
    /** `""` ends them. */
    readonly candidate: string;
    readonly sdp_mid?: string | null;
    readonly sdp_mline_index?: number | null;
  }[];
}

const orNull = (schema: TSchema): TSchema => Type.Optional(Type.Union([schema, Type.Null()]));

export const offerSchema: TSchema = Type.Object({
  sdp: Type.String(),
  type: Type.Literal("offer"),
  pc_id: orNull(Type.String()),
  restart_pc: orNull(Type.Boolean()),
});

export const candidatesSchema: TSchema = Type.Object({
  pc_id: Type.String(),
  candidates: Type.Array(
    Type.Object({
      candidate: Type.String(),
      sdp_mid: orNull(Type.String()),
      sdp_mline_index: orNull(Type.Integer({ minimum: 0 })),
    }),
  ),
});

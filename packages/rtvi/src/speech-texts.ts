import type { BotOutputs, SpokenSegment } from "./bot-output.ts";
import type { RTVISenders } from "./senders.ts";
import type { SpeechProgress } from "./transport.ts";

const sentences = new Intl.Segmenter(undefined, { granularity: "sentence" });
const words = new Intl.Segmenter(undefined, { granularity: "word" });

/** The sentence that the caller hears. */
interface Sentence {
  readonly text: string;
  /** Where it begins in the text of the speech. */
  readonly begin: number;
  readonly segment: SpokenSegment;
}

/**
 * Shows the text of speeches as the caller hears it: `bot-output` with one segment per sentence, which begins with the
 * sentence's first word, `bot-tts-text` for each piece, and `bot-transcription` for each sentence. An interruption leaves the
 * rest of a sentence unspoken, and the sentences after it are never sent.
 *
 * Clients cannot extend a segment (client-react 1.8 keeps its first `text`), so a sentence whose end is not known yet is sent in
 * several segments.
 */
export function createSpeechTexts(
  outputs: Pick<BotOutputs, "speak">,
  senders: Pick<RTVISenders, "botTtsText" | "botTranscription">,
): (progress: SpeechProgress) => void {
  let speech = 0;
  /** How much of the text is in segments, and how much was heard, in characters. */
  let shown = 0;
  let heard = 0;
  let sentence: Sentence | undefined;

  /** Begins the next sentence if the caller has heard a word of it. */
  function beginSentence({ text, ended }: SpeechProgress): Sentence | undefined {
    const begin = text.length - text.slice(shown).trimStart().length;
    if (heard <= begin) return undefined;
    const known = text.slice(begin, ended ? heard : lastWord(text));
    const [first] = sentences.segment(known);
    const sentenceText = first?.segment.trimEnd() ?? "";
    if (sentenceText === "") return undefined;
    return { text: sentenceText, begin, segment: outputs.speak(sentenceText, { isHeard: true }) };
  }

  function endSentence({ text, begin }: Sentence): void {
    void senders.botTranscription(text.slice(0, heard - begin).trimEnd());
    shown = begin + text.length;
    sentence = undefined;
  }

  return (progress) => {
    // A queued speech that is cancelled ends while another one is heard.
    if (progress.heardText === "") return;
    if (progress.id !== speech) {
      speech = progress.id;
      shown = 0;
      heard = 0;
      sentence = undefined;
    }
    const piece = progress.heardText.slice(heard).trim();
    if (piece !== "") void senders.botTtsText(piece);
    heard = progress.heardText.length;
    for (sentence ??= beginSentence(progress); sentence; sentence = beginSentence(progress)) {
      const { text, begin, segment } = sentence;
      void segment.progress(heard - begin);
      if (heard < begin + text.length && !progress.ended) return;
      segment.cancel();
      endSentence(sentence);
    }
  };
}

/** Where the last word begins, because it may still grow; the length of the text if it does not end with a word. */
function lastWord(text: string): number {
  const last = words.segment(text).containing(text.length - 1);
  return last?.isWordLike ? last.index : text.length;
}

import Type, { type TSchema } from "typebox";

/** Sound in a message. */
export interface RawAudio {
  /** In order, one for each piece of the message. They are of the shape that `transport.input` gives, of the client's rate. */
  readonly frames: readonly RawAudioFrame[];
}

/** PCM16 samples, channels interleaved; the rate is in Hz. */
export interface RawAudioFrame {
  readonly samples: Int16Array;
  readonly sampleRate: number;
  readonly channels: number;
}

/** The `data` of `raw-audio` and `raw-audio-batch`: 16-bit little-endian samples in base64, one piece or several. */
export interface RawAudioData {
  readonly base64Audio?: string;
  readonly base64AudioBatch?: readonly string[];
  readonly sampleRate: number;
  readonly numChannels: number;
}

const base64 = Type.String({ pattern: "^[A-Za-z0-9+/]*={0,2}$" });

export const rawAudioSchema: TSchema = Type.Object({
  base64Audio: Type.Optional(base64),
  base64AudioBatch: Type.Optional(Type.Array(base64)),
  sampleRate: Type.Integer({ minimum: 1_000, maximum: 192_000 }),
  numChannels: Type.Integer({ minimum: 1, maximum: 8 }),
});

/** What is wrong with sound of the right schema: that it ends within a sample. Undefined when nothing is. */
export function rawAudioProblem(data: RawAudioData): string | undefined {
  const bytes = 2 * data.numChannels;
  if (piecesOf(data).every((piece) => Buffer.byteLength(piece, "base64") % bytes === 0)) return undefined;
  return `data must hold whole samples of ${bytes} bytes`;
}

/** Decodes sound that has no problem. Pieces of no length give no frame. */
export function readRawAudio(data: RawAudioData): RawAudio {
  const { sampleRate, numChannels: channels } = data;
  const pieces = piecesOf(data).filter((piece) => piece !== "");
  return { frames: pieces.map((piece) => ({ samples: decode(piece), sampleRate, channels })) };
}

/** The original takes either field in either message, and the batch where there are both. */
function piecesOf({ base64Audio = "", base64AudioBatch = [] }: RawAudioData): readonly string[] {
  return base64AudioBatch.length > 0 ? base64AudioBatch : [base64Audio];
}

function decode(piece: string): Int16Array {
  const bytes = Buffer.from(piece, "base64");
  return Int16Array.from({ length: bytes.length / 2 }, (_, index) => bytes.readInt16LE(index * 2));
}

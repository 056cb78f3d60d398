/** Pipecat's protobuf frames written by hand, the impossible ones too; see `packages/runner-websocket/proto/frames.proto`. */

/** An `AudioRawFrame` of these bytes, whatever they are. */
export function audioMessage(audio: Uint8Array, sampleRate: number, channels: number): Buffer {
  const fields = [bytesField(3, audio), numberField(4, sampleRate), numberField(5, channels)];
  return bytesField(2, Buffer.concat(fields));
}

/** A `MessageFrame` with this text. */
export function textMessage(data: string): Buffer {
  return bytesField(4, bytesField(1, Buffer.from(data)));
}

export function bytesField(field: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([varint((field << 3) | 2), varint(bytes.length), bytes]);
}

export function numberField(field: number, value: number): Buffer {
  return Buffer.concat([varint(field << 3), varint(value)]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Buffer.from([...bytes, rest]);
}

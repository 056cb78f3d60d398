/** What Pipecat's ESP32 client takes of an answer. */
export interface DeviceAnswer {
  readonly usernameFragment: string;
  readonly password: string;
  readonly fingerprint: string;
  /** Packets of any other source are dropped. */
  readonly audioSsrc: number;
  readonly candidates: readonly DeviceCandidate[];
}

export interface DeviceCandidate {
  readonly foundation: string;
  readonly host: string;
  readonly port: number;
}

/** A line is copied into a buffer of so many bytes, unchecked. */
const lineBytes = 256;
const candidateLimit = 10;

/**
 * For tests: reads an answer as strictly as the device's parser does, and throws where that would misread it, by the source
 * of libpeer (https://github.com/sepfy/libpeer: `peer_connection.c`, `agent.c`, `ice.c`).
 */
export function readDeviceAnswer(sdp: string): DeviceAnswer {
  const lines = sdp.split("\r\n");
  if (lines.pop() !== "") throw new Error("the last line has no end, so it is not read");
  let section = "";
  let audioSsrc: number | undefined;
  const found = new Map<string, string>();
  const candidates: DeviceCandidate[] = [];
  for (const line of lines) {
    if (/[\r\n]/.test(line)) throw new Error(`a line ends without CRLF: ${line}`);
    if (line.length >= lineBytes) throw new Error(`a line overruns the device's buffer: ${line}`);
    if (line.startsWith("m=")) section = line;
    // Each copies over the one before.
    if (line.includes("a=fingerprint")) found.set("fingerprint", line.slice(22));
    for (const name of ["setup", "ice-ufrag", "ice-pwd"])
      if (line.startsWith(`a=${name}:`)) found.set(name, line.slice(name.length + 3));
    if (line.startsWith("a=ssrc:") && section.startsWith("m=audio")) audioSsrc = Number.parseInt(line.slice(7), 10);
    if (line.startsWith("a=candidate:")) {
      const candidate = readCandidate(line);
      if (!candidates.some(({ foundation }) => foundation === candidate.foundation)) candidates.push(candidate);
    }
    if (line.startsWith("m=audio") && !/ 111$/.test(line)) throw new Error(`another payload type than 111: ${line}`);
  }
  if (!/^[0-9A-F]{2}(:[0-9A-F]{2}){31}$/.test(found.get("fingerprint") ?? ""))
    throw new Error(`the fingerprint is none of SHA-256: ${found.get("fingerprint")}`);
  // At "passive" the device, whose offer says so itself, would become the client.
  if (found.get("setup") !== "active") throw new Error(`nobody opens DTLS: setup is ${found.get("setup")}`);
  if (audioSsrc === undefined) throw new Error("no source for the audio");
  if (candidates.length === 0 || candidates.length > candidateLimit)
    throw new Error(`${candidates.length} candidates are not from 1 to ${candidateLimit}`);
  return {
    usernameFragment: found.get("ice-ufrag") ?? "",
    password: found.get("ice-pwd") ?? "",
    fingerprint: found.get("fingerprint") ?? "",
    audioSsrc,
    candidates,
  };
}

function readCandidate(line: string): DeviceCandidate {
  const [foundation = "", component, transport = "", , host = "", port, , type] = line.slice(12).split(" ");
  const isTaken = component === "1" && /udp/i.test(transport) && /^\d+(\.\d+){3}$/.test(host) && type === "host";
  if (!isTaken) throw new Error(`a candidate the device cannot use: ${line}`);
  return { foundation, host, port: Number(port) };
}

import { expect } from "vitest";

/** One section of an answer. */
export interface AnswerSection {
  readonly media: string;
  readonly port: number;
  readonly protocol: string;
  readonly formats: readonly string[];
  readonly lines: readonly string[];
}

/**
 * Parses an answer and fails the test if the strictest client would reject it: RFC 8829 section 5.3 for everything that mirrors
 * the offer, Pipecat's ESP32 client for lines, fingerprints and candidates.
 */
export function readAnswer(answer: string, offer: string): readonly AnswerSection[] {
  expect(answer.endsWith("\r\n")).toBe(true);
  const lines = answer.slice(0, -2).split("\r\n");
  for (const line of lines) {
    expect(line).toMatch(/^[a-z]=[^\r\n]+$/);
    expect(line.length).toBeLessThan(256);
  }
  expect(JSON.stringify(answer).length).toBeLessThan(4_096);
  const sections = splitSections(lines);
  const offered = splitSections(offer.trimEnd().split(/\r?\n/));
  expect(sections.map(({ media }) => media)).toEqual(offered.map(({ media }) => media));
  expect(sections.map(({ protocol }) => protocol)).toEqual(offered.map(({ protocol }) => protocol));
  sections.forEach((section, index) => {
    expect(values(section, "mid")).toEqual(values(offered[index], "mid"));
    for (const format of section.formats) expect(offered[index]?.formats).toContain(format);
    if (section.port === 0) expect(section.lines).toContain("a=inactive");
    else readTransport(section);
    readFoundations(section);
  });
  const fingerprints = new Set(lines.filter((line) => line.startsWith("a=fingerprint:")));
  expect([...fingerprints]).toEqual([expect.stringMatching(/^a=fingerprint:sha-256 [0-9A-F]{2}(:[0-9A-F]{2}){31}$/)]);
  readCandidates(lines);
  const grouped =
    lines
      .find((line) => line.startsWith("a=group:BUNDLE "))
      ?.split(" ")
      .slice(1) ?? [];
  const open = sections.filter(({ port }) => port !== 0).flatMap((section) => values(section, "mid"));
  for (const mid of grouped) expect(open).toContain(mid);
  return sections;
}

function readTransport(section: AnswerSection): void {
  expect(values(section, "ice-ufrag")).toEqual([expect.stringMatching(/^[\w+/]{4,256}$/)]);
  expect(values(section, "ice-pwd")).toEqual([expect.stringMatching(/^[\w+/]{22,256}$/)]);
  expect(values(section, "setup")).toEqual([expect.stringMatching(/^(active|passive)$/)]);
  expect(values(section, "fingerprint")).toHaveLength(1);
}

function readCandidates(lines: readonly string[]): void {
  const candidates = lines.filter((line) => line.startsWith("a=candidate:"));
  expect(candidates.length).toBeGreaterThan(0);
  expect(candidates.length).toBeLessThanOrEqual(10);
  for (const line of candidates) expect(line).toMatch(/^a=candidate:\S{1,32} 1 udp \d+ [\da-f:.]+ \d+ typ \w+/);
}

/** The ESP32 client uses one candidate per foundation. */
function readFoundations({ lines }: AnswerSection): void {
  const foundations = lines.filter((line) => line.startsWith("a=candidate:")).map((line) => line.split(" ")[0]);
  expect(new Set(foundations).size).toBe(foundations.length);
}

function splitSections(lines: readonly string[]): AnswerSection[] {
  const starts = lines.flatMap((line, index) => (line.startsWith("m=") ? [index] : []));
  return starts.map((start, index) => {
    const [media = "", port, protocol = "", ...formats] = (lines[start] ?? "").slice(2).split(" ");
    return { media, port: Number(port), protocol, formats, lines: lines.slice(start, starts[index + 1]) };
  });
}

/** The values of a section's attributes with this name. */
export function values(section: AnswerSection | undefined, name: string): string[] {
  return (section?.lines ?? [])
    .filter((line) => line.startsWith(`a=${name}:`))
    .map((line) => line.slice(name.length + 3));
}

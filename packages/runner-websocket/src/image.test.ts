import { expect, test } from "vitest";
import { parseImage } from "./image.ts";

/** Files of 3 x 2 pixels, written by Pillow 12. The JPEG files end after the size. */
const png = "iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAFUlEQVR4nGM8IafBwMDAwMDAxAADABPYARJY7Kp/AAAAAElFTkSuQmCC";
const jpegHead =
  "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL/2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjL/";
const webp = {
  lossy: "UklGRjoAAABXRUJQVlA4IC4AAACQAQCdASoDAAIAAUAmJaACdLoAA5gA/vFNr+LaR0KZD/7xn/9xn/9xn/yIAAAA",
  lossless: "UklGRh4AAABXRUJQVlA4TBEAAAAvAkAAAAdQjyIXpf+BiOh/AAA=",
  extended:
    "UklGRlIAAABXRUJQVlA4WAoAAAAQAAAAAgAAAQAAQUxQSAcAAAAAWlpaWlpaAFZQOCAkAAAAcAEAnQEqAwACAAdAliWgAnQBdQAA/uLgSMNbr+rvzt+p7YAA",
};
const baseline = jpegHead.concat("wAARCAACAAMD");
const file = (base64: string) => Buffer.from(base64, "base64");

test.each([
  ["image/png", png],
  ["image/jpeg", baseline],
  ["image/jpeg", jpegHead.concat("wgARCAACAAMD")],
  ["image/webp", webp.lossy],
  ["image/webp", webp.lossless],
  ["image/webp", webp.extended],
])("reads format and size of %s (%#)", (type, base64) => {
  const data = file(base64);
  expect(parseImage(data)).toEqual({ data, type, width: 3, height: 2 });
});

test("skips fill bytes before a segment of a JPEG file", () => {
  const filled = Buffer.concat([Buffer.of(0xff, 0xd8, 0xff, 0xff), file(baseline).subarray(2)]);
  expect(parseImage(filled)).toMatchObject({ width: 3, height: 2 });
});

test("other, cut and damaged files are not images", () => {
  for (const base64 of [png, baseline, ...Object.values(webp)]) {
    const data = file(base64);
    for (let length = 0; length < data.length; length++) parseImage(data.subarray(0, length));
    expect(parseImage(data.subarray(0, 22))).toBeUndefined();
    expect(parseImage(data.subarray(1))).toBeUndefined();
  }
  const empty = file(png);
  empty.writeUInt32BE(0, 16);
  for (const other of [
    empty,
    file("R0lGODdhAwACAIEAAMgeKAAAAAAAAAAAACwAAAAAAwACAAAIBgABCBwYEAA7"),
    Buffer.from("<svg/>"),
  ])
    expect(parseImage(other)).toBeUndefined();
});

import { EventEmitter } from "node:events";
import { expect, onTestFinished, test, vi } from "vitest";
import type { JoinRequest, RoomListener } from "./client.ts";
import { joinRoom, joinsAtOnce, type loadSdk } from "./rtc-client.ts";
import { createSdkRoom } from "./sdk-room.ts";

const request: JoinRequest = {
  url: "ws://localhost:7880",
  token: "token",
  sampleRateIn: 16_000,
  sampleRateOut: undefined,
  timeoutMs: 50,
  signal: new AbortController().signal,
};
const microphone = 2;
const person = { identity: "ada", name: "Ada", metadata: "", attributes: {}, kind: 0, trackPublications: new Map() };

/** The parts of the SDK that rooms use. `connect` resolves when the test calls `connected`, and `publishTrack` when `published` does. */
function createFakeSdk(published = Promise.resolve()) {
  const { promise: connecting, resolve: connected } = Promise.withResolvers<void>();
  const audio = Promise.withResolvers<{ readonly done: boolean }>();
  const calls: string[] = [];
  const passed: unknown[] = [];
  class Room extends EventEmitter {
    localParticipant: object | undefined;
    remoteParticipants = new Map([["ada", person]]);
    onFfiEvent = (event: unknown) => void passed.push(event);
    async connect() {
      await connecting;
      this.localParticipant = { ...person, identity: "bot", publishTrack: () => published };
    }
    async disconnect() {
      calls.push("disconnect");
    }
  }
  const rooms: Room[] = [];
  const sdk = {
    Room: class extends Room {
      constructor() {
        super();
        rooms.push(this);
      }
    },
    AudioStream: class {
      constructor() {
        calls.push("open an audio stream");
      }
      getReader = () => ({ read: () => audio.promise, cancel: async () => undefined });
    },
    AudioSource: class {
      clearQueue = () => undefined;
      close = async () => undefined;
    },
    LocalAudioTrack: { createAudioTrack: () => ({ close: async () => undefined }) },
    TrackPublishOptions: class {},
    TrackSource: { SOURCE_MICROPHONE: microphone },
    ParticipantKind: { 0: "STANDARD", AGENT: 4 },
    DisconnectReason: {},
  } as unknown as ReturnType<typeof loadSdk>;
  return { sdk, rooms, connected, audio, calls, passed };
}

function createListener() {
  const events: string[] = [];
  const listener = new Proxy({} as RoomListener, {
    get: (target, name) =>
      Reflect.get(target, name) ??
      ((value: unknown) => void events.push(value instanceof Error ? value.message : String(name))),
  });
  return { listener, events };
}

test("a join that times out reports nothing afterwards, and the bot leaves when it has joined", async () => {
  const { sdk, connected, calls } = createFakeSdk();
  const { listener, events } = createListener();
  await expect(joinRoom(sdk, request, listener)).rejects.toMatchObject({ code: "LIVEKIT_JOIN_TIMEOUT" });
  expect(calls).toEqual([]);
  connected();
  await vi.waitFor(() => expect(calls).toEqual(["disconnect"]));
  expect(events).toEqual([]);
});

test("all clients of the SDK share the limit of joins, and a join that timed out counts until the SDK has finished it", async () => {
  const { sdk, rooms, connected } = createFakeSdk();
  const { listener } = createListener();
  const joins = Array.from({ length: joinsAtOnce }, () => joinRoom(sdk, request, listener));
  const results = await Promise.allSettled([...joins, joinRoom(sdk, request, listener)]);
  expect(results.map((result) => Object(result).reason?.message)).toEqual([
    ...joins.map(() => "The room could not be joined within 0.05 s."),
    "Other rooms were being joined for 0.05 s.",
  ]);
  const next = joinRoom(sdk, { ...request, timeoutMs: 5_000 }, listener);
  await new Promise((resolve) => setImmediate(resolve));
  expect(rooms).toHaveLength(joinsAtOnce);
  connected();
  await (await next).close();
  expect(rooms).toHaveLength(joinsAtOnce + 1);
});

test("the SDK's join of a bot that gave up delays others for 10 s at most", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const { sdk, rooms } = createFakeSdk();
  const { listener } = createListener();
  const joins = Array.from({ length: joinsAtOnce }, () => joinRoom(sdk, request, listener));
  const next = joinRoom(sdk, { ...request, timeoutMs: 15_000 }, listener);
  const settled = Promise.allSettled([...joins, next]);
  await vi.advanceTimersByTimeAsync(request.timeoutMs + 9_000);
  expect(rooms).toHaveLength(joinsAtOnce);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(rooms).toHaveLength(joinsAtOnce + 1);
  // Its wait counts.
  await vi.advanceTimersByTimeAsync(15_000 - 10_000 - request.timeoutMs);
  expect((await settled).at(-1)).toMatchObject({ reason: { code: "LIVEKIT_JOIN_TIMEOUT" } });
});

test("a bot that gave up leaves no timer once the SDK has finished its join", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const { sdk, connected } = createFakeSdk();
  const joining = Promise.allSettled([joinRoom(sdk, request, createListener().listener)]);
  await vi.advanceTimersByTimeAsync(request.timeoutMs);
  expect(await joining).toMatchObject([{ reason: { code: "LIVEKIT_JOIN_TIMEOUT" } }]);
  expect(vi.getTimerCount()).toBe(1);
  connected();
  await vi.waitFor(() => expect(vi.getTimerCount()).toBe(0));
});

test("a bot whose call ends while it waits for other joins does not join", async () => {
  const { sdk, rooms, connected } = createFakeSdk();
  const { listener } = createListener();
  const joins = Array.from({ length: joinsAtOnce }, () => joinRoom(sdk, { ...request, timeoutMs: 5_000 }, listener));
  const leaving = new AbortController();
  const waiting = joinRoom(sdk, { ...request, signal: leaving.signal }, listener);
  leaving.abort();
  await expect(waiting).rejects.toMatchObject({ code: "CALL_ENDED" });
  expect(rooms).toHaveLength(joinsAtOnce);
  connected();
  for (const join of joins) await (await join).close();
});

test("a failure of the SDK while a participant's audio is read is reported", async () => {
  const { sdk, rooms, connected, audio } = createFakeSdk();
  const { listener, events } = createListener();
  connected();
  const connection = await joinRoom(sdk, request, listener);
  const publication = { sid: "1", source: microphone, setSubscribed: () => undefined };
  rooms[0]?.emit("trackPublished", publication, person);
  rooms[0]?.emit("trackSubscribed", {}, publication, person);
  audio.reject(new Error("the track is gone"));
  await vi.waitFor(() => expect(events).toContain("the track is gone"));
  await connection.close();
});

test("a microphone that is reported twice is subscribed to once", async () => {
  const { sdk, rooms, connected } = createFakeSdk();
  connected();
  const connection = await joinRoom(sdk, request, createListener().listener);
  const requests: boolean[] = [];
  const publication = { sid: "1", source: microphone, setSubscribed: (on: boolean) => requests.push(on) };
  rooms[0]?.emit("trackPublished", publication, person);
  rooms[0]?.emit("participantConnected", { ...person, trackPublications: new Map([["1", publication]]) });
  expect(requests).toEqual([true]);
  await connection.close();
});

test("the bot hears 50 microphones, and another one as soon as one of them is gone", async () => {
  const { sdk, rooms, connected } = createFakeSdk();
  connected();
  const connection = await joinRoom(sdk, request, createListener().listener);
  const heard = new Set<string>();
  const participants = Array.from({ length: 53 }, (_, index) => {
    const identity = `caller ${index}`;
    const setSubscribed = (on: boolean) => (on ? heard.add(identity) : heard.delete(identity));
    const publication = { sid: `${index}`, source: microphone, setSubscribed };
    return { ...person, identity, trackPublications: new Map([[publication.sid, publication]]) };
  });
  const [room] = rooms;
  for (const participant of participants) {
    room?.remoteParticipants.set(participant.identity, participant);
    room?.emit("participantConnected", participant);
  }
  expect([heard.size, heard.has("caller 50")]).toEqual([50, false]);
  const [first, second] = participants as [(typeof participants)[0], (typeof participants)[0]];
  room?.remoteParticipants.delete(first.identity);
  room?.emit("participantDisconnected", first);
  expect(heard.has("caller 50")).toBe(true);
  second.trackPublications.clear();
  room?.emit("trackUnpublished", { sid: "1" }, second);
  expect(heard.has("caller 51")).toBe(true);
  connection.setSubscribed("caller 2", false);
  expect([...heard].filter((identity) => /\b(2|52)$/.test(identity))).toEqual(["caller 52"]);
  await connection.close();
});

test("attributes are reported, up to 16,384 characters", async () => {
  const { sdk, rooms, connected } = createFakeSdk();
  connected();
  const reported: unknown[] = [];
  const { listener } = createListener();
  listener.attributesChanged = (participant) => void reported.push(participant);
  const connection = await joinRoom(sdk, request, listener);
  const attributes = { a: "x".repeat(16_000), b: "x".repeat(1_000), "sip.callStatus": "active" };
  rooms[0]?.emit("participantAttributesChanged", {}, { ...person, attributes });
  expect(reported).toEqual([
    expect.objectContaining({ identity: "ada", attributes: { a: attributes.a, "sip.callStatus": "active" } }),
  ]);
  await connection.close();
});

test("participants who were in the room before the bot are marked", async () => {
  const { sdk, rooms, connected } = createFakeSdk();
  connected();
  const joined: unknown[][] = [];
  const { listener } = createListener();
  listener.participantJoined = ({ identity }, wasPresent) => void joined.push([identity, wasPresent]);
  const connection = await joinRoom(sdk, request, listener);
  rooms[0]?.emit("participantConnected", { ...person, identity: "ben" });
  expect(joined).toEqual([
    ["ada", true],
    ["ben", false],
  ]);
  await connection.close();
});

test("participants who come and go while the bot publishes its audio are reported once, in order", async () => {
  const { promise: published, resolve: publish } = Promise.withResolvers<void>();
  const { sdk, rooms, connected } = createFakeSdk(published);
  connected();
  const reported: unknown[][] = [];
  const { listener } = createListener();
  listener.participantJoined = ({ identity }, wasPresent) => void reported.push(["joined", identity, wasPresent]);
  listener.participantLeft = (identity) => void reported.push(["left", identity]);
  const joining = joinRoom(sdk, { ...request, sampleRateOut: 24_000, timeoutMs: 5_000 }, listener);
  await vi.waitFor(() => expect(rooms[0]?.localParticipant).toBeDefined());
  await new Promise((resolve) => setImmediate(resolve));
  const [room] = rooms;
  const comes = (identity: string) => {
    const participant = { ...person, identity };
    room?.remoteParticipants.set(identity, participant);
    room?.emit("participantConnected", participant);
  };
  room?.remoteParticipants.delete("ada");
  room?.emit("participantDisconnected", person);
  comes("ben");
  comes("ada");
  publish();
  const connection = await joining;
  expect(reported).toEqual([
    ["joined", "ada", true],
    ["left", "ada"],
    ["joined", "ben", false],
    ["joined", "ada", false],
  ]);
  await connection.close();
});

test("a track that arrives while the bot leaves opens no audio stream, which the SDK would keep", async () => {
  const { sdk, rooms, connected, calls } = createFakeSdk();
  connected();
  const connection = await joinRoom(sdk, request, createListener().listener);
  const publication = { sid: "1", source: microphone, setSubscribed: () => undefined };
  rooms[0]?.emit("trackPublished", publication, person);
  const closed = connection.close();
  rooms[0]?.emit("trackSubscribed", {}, publication, person);
  await closed;
  expect(calls).toEqual(["disconnect"]);
});

test("the SDK's rooms get every event but those of audio, which do not concern them", () => {
  const { sdk, passed } = createFakeSdk();
  const room = createSdkRoom(sdk) as unknown as { onFfiEvent(event: object): void };
  for (const kind of ["audioStreamEvent", "captureAudioFrame", "roomEvent"])
    room.onFfiEvent({ message: { case: kind } });
  expect(passed).toEqual([{ message: { case: "roomEvent" } }]);
});

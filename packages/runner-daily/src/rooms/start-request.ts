import { RunnerError, type StartBody } from "@pipecat-ts/runner-core";
import {
  type RoomProperties,
  requireRoomProperties,
  requireTokenProperties,
  type TokenProperties,
} from "./properties.ts";

/** What a start request says of its room. */
export interface RoomRequest {
  readonly roomProperties: RoomProperties;
  readonly tokenProperties: TokenProperties;
}

/** Whether a start request that names no transport wants a room. */
export function claimsRoom(body: StartBody): boolean {
  return Boolean(body.createDailyRoom);
}

/**
 * Reads the Daily fields of a start request. Throws, all with 400, BODY_INVALID, DAILY_PROPERTY_INVALID, which names the
 * property, and DAILY_ROOM_MISSING when it asks for no room and none is set up.
 */
export function readRoomRequest(body: StartBody, roomUrl: string | undefined): RoomRequest {
  const { createDailyRoom = false, dailyRoomProperties, dailyMeetingTokenProperties } = body;
  if (typeof createDailyRoom !== "boolean" && createDailyRoom !== null) {
    throw new RunnerError("BODY_INVALID", '"createDailyRoom" in the body must be true or false.');
  }
  const roomProperties = requireRoomProperties(dailyRoomProperties, "dailyRoomProperties");
  const tokenProperties = requireTokenProperties(dailyMeetingTokenProperties, "dailyMeetingTokenProperties");
  if (!createDailyRoom && roomUrl === undefined) {
    throw new RunnerError("DAILY_ROOM_MISSING", "The request asks for no room, and this runner has none set up.", {
      status: 400,
      fix: 'Send {"transport": "daily", "createDailyRoom": true}, or set DAILY_ROOM_URL.',
    });
  }
  if (roomUrl !== undefined && Object.keys(roomProperties).length > 0) {
    throw new RunnerError(
      "DAILY_PROPERTY_INVALID",
      '"dailyRoomProperties" cannot be applied: every session of this runner meets in the room of DAILY_ROOM_URL.',
      { status: 400, fix: "Leave them out, or start the runner without DAILY_ROOM_URL." },
    );
  }
  return { roomProperties, tokenProperties };
}

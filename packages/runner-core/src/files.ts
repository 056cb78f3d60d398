/**
 * The files that callers upload, by the URL that the reply to the upload has: `args.fileStorage`. For a bot, the files of other
 * sessions do not exist.
 */
export interface FileStorage {
  /**
   * Stores a file, and returns the URL that `load` and `delete` take. When `content` throws, it rejects with the same error and
   * keeps nothing.
   */
  save(content: AsyncIterable<Uint8Array>): Promise<string>;
  /** The bytes of a file. Rejects with FILE_UNKNOWN (404) for other URLs and for files that are deleted. */
  load(url: string): Promise<Uint8Array>;
  /** Deletes a file. Does nothing for other URLs. */
  delete(url: string): Promise<void>;
}

export { createFileStorage, type FileStorageOptions } from "./storage.ts";
export { maxFileBytes, receiveFile, type UploadedFile } from "./upload.ts";

export { createFileStorage, type FileStorageOptions, unknownFile } from "./storage.ts";
export { maxFileBytes, receiveFile, type UploadedFile } from "./upload.ts";

export { ChoiceError, type Choices, type Manager } from "./choices.ts";
export { type CreatedProject, createBot } from "./create-bot.ts";

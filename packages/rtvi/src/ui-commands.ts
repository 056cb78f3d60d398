/**
 * The payloads of the commands that client-react 1.8 has handlers for, in the wire's names: `useDefaultUICommandHandlers`
 * registers all but `toast` and `navigate`, which need the application's. An element is found by the `ref` of a snapshot,
 * or else by `target_id`, its id in the document.
 */
export interface UICommands {
  toast: {
    readonly title: string;
    readonly subtitle?: string | null;
    readonly description?: string | null;
    readonly image_url?: string | null;
    readonly duration_ms?: number | null;
  };
  /** `view` is the application's name for a place in it. */
  navigate: { readonly view: string; readonly params?: Readonly<Record<string, unknown>> | null };
  /** `behavior` is `smooth` or `instant`. */
  scroll_to: UITarget & { readonly behavior?: string | null };
  highlight: UITarget & { readonly duration_ms?: number | null };
  focus: UITarget;
  click: UITarget;
  /** Writes into an input. `replace` false appends; default true. */
  set_input_value: UITarget & { readonly value: string; readonly replace?: boolean | null };
  /** Selects from one character to before another; all of the text without offsets. */
  select_text: UITarget & { readonly start_offset?: number | null; readonly end_offset?: number | null };
}

/** An element of the page. */
export interface UITarget {
  readonly ref?: string | null;
  readonly target_id?: string | null;
}

/**
 * A step of a group of jobs that the client shows, in the wire's names: `group_started`, any number of `job_update`, one
 * `job_completed` for each worker, `group_completed`. `at` is in ms since 1970; default now.
 */
export type UIJobGroup = { readonly job_id: string; readonly at?: number } & (
  | {
      readonly kind: "group_started";
      readonly workers: readonly string[];
      readonly label?: string | null;
      /** Whether the client may ask to stop it: `uiCancelJobGroup`. */
      readonly cancellable: boolean;
    }
  | { readonly kind: "job_update"; readonly worker_name: string; readonly data: unknown }
  | {
      readonly kind: "job_completed";
      readonly worker_name: string;
      readonly status: "running" | "completed" | "cancelled" | "failed" | "error";
      readonly response?: unknown;
    }
  | { readonly kind: "group_completed" }
);

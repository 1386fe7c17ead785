/** What the functions answer when they refuse: code, message and hint, always in this form. */

/** The codes of the functions themselves. What the database refuses comes with its SQLSTATE: see statuses.ts. */
export const problems = {
  unauthorized: {
    status: 401,
    message: 'No valid secret key and no valid token came with the request.',
    hint: 'Send a secret key in the header apikey, or the access token of a signed-in user as Authorization: Bearer.',
  },
  forbidden: {
    status: 403,
    message: 'The caller may not do this.',
    hint: 'app_metadata.imago_role of a user is viewer or operator; some actions need a secret key.',
  },
  no_user: {
    status: 403,
    message: 'The caller is signed in as no user of the app.',
    hint: 'app_metadata.user_id of a signed-in user is the id of their row in "User"; a secret key is nobody.',
  },
  not_found: {
    status: 404,
    message: 'There is no such user, or the function has no such path.',
    hint: 'docs/functions.md lists the paths.',
  },
  method_not_allowed: {
    status: 405,
    message: 'This function does not answer this method.',
    hint: 'The header Allow names the one that it answers.',
  },
  not_json: {
    status: 415,
    message: 'The body is not declared as JSON.',
    hint: 'Send Content-Type: application/json.',
  },
  bad_json: {
    status: 400,
    message: 'The body is not JSON.',
    hint: 'Send one JSON object, {} where nothing is to be said.',
  },
  bad_body: {
    status: 400,
    message: 'The request has fields that are unknown or not valid.',
    hint: 'Nothing has been changed. docs/functions.md lists the fields.',
  },
  confirm_required: {
    status: 400,
    message: 'Taking everything back has to be confirmed.',
    hint: 'Send the name of the plan as confirm.',
  },
  body_too_large: {
    status: 413,
    message: 'The body is larger than 16 KB.',
    hint: 'No request of these functions needs that much.',
  },
  unavailable: {
    status: 503,
    message: 'The database cannot be reached at the moment.',
    hint: 'A batch is either committed whole or not at all: call again.',
  },
  bad_answer: {
    status: 502,
    message: 'What answers in place of the database gives no answer that could be its own.',
    hint: 'Look at SUPABASE_URL of the functions, and at what stands before the Data API; then call again.',
  },
  not_installed: {
    status: 404,
    message:
      'Something that this needs is not in the database: Imago, the plan, or the tables of the app that the plan is for.',
    hint: 'Push the migrations (npx supabase db push); imago doctor tells what of Imago is missing, the page of the plan in docs/ what the app has to have.',
  },
  wrong_version: {
    status: 500,
    message: 'The SQL functions of Imago are of another version than the edge functions.',
    hint: 'Push the migrations of the version that the edge functions are of: npx supabase db push.',
  },
  engine_newer: {
    status: 500,
    message: 'The engine in the database is newer than the edge functions know.',
    hint: 'Deploy the edge functions of its version: npx --no imago install, then npx supabase functions deploy.',
  },
  internal: {
    status: 500,
    message: 'The function failed.',
    hint: 'The log of the function has the code of the error.',
  },
} as const;

export type ProblemCode = keyof typeof problems;

/** Seconds after which a call that found no database, or something locked, is worth a second try. */
const retryAfterSeconds = 1;

/** A refusal. Code that throws one ends the request with it. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly code: string;
  readonly hint: string;

  constructor(status: number, body: { code: string; message: string; hint: string }) {
    super(body.message);
    this.status = status;
    this.code = body.code;
    this.hint = body.hint;
  }

  /** The body of the answer. */
  toJSON(): { code: string; message: string; hint: string } {
    return { code: this.code, message: this.message, hint: this.hint };
  }

  toResponse(): Response {
    const headers = this.status === 503 ? { 'Retry-After': String(retryAfterSeconds) } : undefined;
    return Response.json(this, { status: this.status, ...(headers && { headers }) });
  }
}

/** One of the refusals above, if need be in more precise words. */
export function problem(code: ProblemCode, message?: string): Problem {
  const { status, ...texts } = problems[code];
  return new Problem(status, { code, ...texts, ...(message !== undefined && { message }) });
}

/** Whatever was thrown, as a refusal that tells nothing of its insides. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  // The name only: a message might quote what the caller sent.
  console.error(error instanceof Error ? error.name : typeof error);
  return problem('internal');
}

/** Why a call of the database or of the Data API failed. */

/**
 * A call that failed, no matter what made it fail.
 *
 * `code` is the SQLSTATE, PostgREST's own code, or one of `NETWORK`, `TIMEOUT`, `TLS`, `HTTP`, `REDIRECT`, `TOO_LARGE`, `NOT_JSON`,
 * `ANSWER`, `ENGINE`. The detail that PostgreSQL gives is left out on purpose: it quotes row values.
 */
export class CallError extends Error {
  override readonly name = 'CallError';
  readonly code: string;
  readonly hint: string | undefined;
  readonly status: number;

  constructor(problem: { code: string; message: string; hint?: string | undefined; status?: number }) {
    super(problem.message);
    this.code = problem.code;
    this.hint = problem.hint;
    this.status = problem.status ?? 0;
  }
}

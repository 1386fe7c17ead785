/**
 * A refusal or failure that explains itself: a stable code, the cause as its message, and a hint of what to do. Each part
 * of the command has codes of its own and a class of its own for them.
 */
export abstract class CodedProblem<Code extends string> extends Error {
  override readonly name = 'Problem';
  readonly code: Code;
  readonly hint: string | undefined;

  constructor(code: Code, message: string, hint?: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.hint = hint;
  }
}

/** Text from a database or a server, before it is printed. */

/**
 * Names of objects and keys come from the database that is checked. Control characters would let them paint over the
 * terminal, and characters that turn the direction of a line would let one name pass for another.
 */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');
}

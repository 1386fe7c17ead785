/** What has happened so far: a line a minute, and a table at the end. */
export class Tally {
  readonly #faults = new Map<string, number>();
  readonly #began = Date.now();
  readonly #print: (line: string) => void;
  faults = 0;
  legs = 0;
  writes = 0;
  /** Writes to the new side that the app took back, for their sync had given way to somebody. */
  gaveWay = 0;
  calls = 0;
  pooled = 0;
  compared = 0;
  readonly wrong: string[] = [];

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  fault(name: string): void {
    this.faults++;
    this.#faults.set(name, (this.#faults.get(name) ?? 0) + 1);
  }

  /** Names each fault before there is one, so that the table has what never came. */
  expect(names: readonly string[]): void {
    for (const name of names) this.#faults.set(name, 0);
  }

  line(): void {
    const minutes = Math.round((Date.now() - this.#began) / 60_000);
    this.#print(
      [
        `${minutes} min`,
        `${count(this.faults)} faults`,
        `${count(this.legs)} ways there or back`,
        `${count(this.calls)} calls`,
        `${count(this.writes)} writes of the app`,
        `${count(this.compared)} rows compared`,
        `wrong rows: ${this.wrong.length}`,
      ].join(' · '),
    );
  }

  table(): void {
    const width = Math.max(...[...this.#faults.keys()].map((name) => name.length));
    for (const [name, times] of this.#faults) {
      this.#print(`${name.padEnd(width)}  ${count(times).padStart(7)}`);
    }
    this.#print(`${'all faults'.padEnd(width)}  ${count(this.faults).padStart(7)}`);
    this.#print('');
    this.#print(
      `${count(this.legs)} ways there or back; ${count(this.calls)} calls, ${count(this.pooled)} of them by way of a pooler; ` +
        `${count(this.writes)} writes of the app, ${count(this.gaveWay)} more taken back because their sync gave way.`,
    );
    this.#print(`${count(this.compared)} rows compared; wrong rows: ${this.wrong.length}`);
  }
}

function count(number: number): string {
  return number.toLocaleString('en');
}

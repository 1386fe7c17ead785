/** A line of figures in the text format of Prometheus. */
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** What a scrape holds: each metric with its type, and every sample. */
export interface Scrape {
  types: Record<string, string>;
  helps: Record<string, string>;
  samples: Sample[];
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*';
const HELP = new RegExp(`^# HELP (${NAME}) ((?:[^\\\\]|\\\\\\\\|\\\\n)*)$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram|summary|untyped)$`);
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)(?: (-?\\d+))?$`);
const PAIR = new RegExp(`^(${LABEL})="((?:[^"\\\\]|\\\\\\\\|\\\\"|\\\\n)*)"(?:,|$)`);
const NUMBER = /^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?Inf|NaN)$/;

/** Reads the text format, version 0.0.4, by its grammar; throws at the first line that is not of it. */
export function parseScrape(text: string): Scrape {
  const scrape: Scrape = { types: {}, helps: {}, samples: [] };
  if (text === '') return scrape;
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const seen = new Set<string>();
  let current = '';
  const closed = new Set<string>();
  /** All lines of a metric stand together. */
  const enter = (name: string, line: string) => {
    if (name === current) return;
    if (closed.has(name)) throw new Error(`begins again: ${line}`);
    if (current) closed.add(current);
    current = name;
  };
  for (const line of text.slice(0, -1).split('\n')) {
    const help = HELP.exec(line);
    const type = TYPE.exec(line);
    const sample = SAMPLE.exec(line);
    if (help?.[1]) {
      enter(help[1], line);
      if (help[1] in scrape.helps) throw new Error(`a second HELP: ${line}`);
      scrape.helps[help[1]] = help[2] ?? '';
    } else if (type?.[1]) {
      enter(type[1], line);
      if (type[1] in scrape.types) throw new Error(`a second TYPE: ${line}`);
      if (scrape.samples.some(({ name }) => name === type[1])) throw new Error(`TYPE after samples: ${line}`);
      scrape.types[type[1]] = type[2] ?? '';
    } else if (sample?.[1] && NUMBER.test(sample[3] ?? '')) {
      enter(sample[1], line);
      const labels = parseLabels(sample[2] ?? '', line);
      const identity = JSON.stringify([sample[1], Object.entries(labels).toSorted()]);
      if (seen.has(identity)) throw new Error(`the same sample twice: ${line}`);
      seen.add(identity);
      scrape.samples.push({ name: sample[1], labels, value: Number(sample[3]?.replace('Inf', 'Infinity')) });
    } else throw new Error(`not of the text format: ${line}`);
  }
  return scrape;
}

function parseLabels(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (let rest = text; rest !== ''; ) {
    const pair = PAIR.exec(rest);
    if (!pair?.[1]) throw new Error(`labels not of the text format: ${line}`);
    if (pair[1] in labels) throw new Error(`a label twice: ${line}`);
    labels[pair[1]] = (pair[2] ?? '').replace(/\\(.)/g, (_, char) => (char === 'n' ? '\n' : char));
    rest = rest.slice(pair[0].length);
  }
  return labels;
}

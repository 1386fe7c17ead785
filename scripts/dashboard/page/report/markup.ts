/** Components as HTML for who has no script: whatever stands in them is escaped, and nothing in it can act. */
import { printable } from '../../../command/printable.ts';

/** Elements that hold nothing and are never closed. */
const voids: ReadonlySet<string> = new Set(['meta', 'br', 'input']);

/** An element, or a component that makes elements of what it is given. */
interface Node {
  type: string | ((props: object) => unknown);
  props: { children?: unknown };
}

/** The HTML of components without state: those with hooks need a browser. */
export function markup(node: unknown): string {
  if (node === null || node === undefined || typeof node === 'boolean') return '';
  if (Array.isArray(node)) return node.map(markup).join('');
  if (typeof node !== 'object') return escaped(String(node));
  const { type, props } = node as Node;
  if (typeof type === 'function') return markup(type(props));
  const { children, ...attributes } = props;
  const start = `<${type}${Object.entries(attributes).map(attribute).join('')}>`;
  // Style is not text: a quote in it is one.
  const inside = type === 'style' ? String(children) : markup(children);
  return voids.has(type) ? start : `${start}${inside}</${type}>`;
}

function attribute([name, value]: [string, unknown]): string {
  if (value === false || value === null || value === undefined || value === '') return '';
  const text = value === true && !name.startsWith('aria-') ? '' : String(value);
  return ` ${name}="${escaped(text)}"`;
}

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return printable(text).replaceAll(/[&<>"']/g, (character) => entities[character] ?? '');
}

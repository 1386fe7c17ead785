import { fileURLToPath } from 'node:url';

/** What makes programs start with less work, and changes nothing of what they do: the tests start hundreds of them. */
export const cheapStarts = {
  /** Half of what a command takes to start is compiling the same modules. */
  NODE_COMPILE_CACHE: fileURLToPath(new URL('../../node_modules/.cache/node', import.meta.url)),
  /** The supabase CLI ends within seconds: a quarter of its processor time would go into optimizing its code. */
  BUN_JSC_useDFGJIT: '0',
};

/** The shell around `withSupabase`: method, CORS, and one form for every refusal. */
import { ErrorCodeHeader } from '@supabase/server';
import { corsHeaders } from '@supabase/supabase-js/cors';
import { problem, problemOf } from './problems.ts';

type Handler = (request: Request) => Promise<Response>;

interface Rules {
  /** Whether something may stand behind the function's name; else it would do nothing, and is refused. */
  paths?: boolean;
}

/** Answers one method by the handler, and everything else by itself. */
export function answering(method: 'GET' | 'POST', handler: Handler, rules: Rules = {}): Handler {
  return async (request) => withCors(await answer(method, handler, rules, request));
}

async function answer(method: string, handler: Handler, rules: Rules, request: Request): Promise<Response> {
  if (request.method === 'OPTIONS') return new Response(null, { status: 204 });
  if (request.method !== method) {
    const response = problem('method_not_allowed').toResponse();
    response.headers.set('Allow', method);
    return response;
  }
  if (!rules.paths && !nameAlone.test(new URL(request.url).pathname))
    return problem('not_found').toResponse();
  try {
    return refusedInOurWords(await handler(request));
  } catch (error) {
    return problemOf(error).toResponse();
  }
}

/** The path of a function that takes none: its name, with what the platform may have left before it. */
const nameAlone = /^(\/functions\/v1)?\/[^/]+\/?$/;

/** `withSupabase` tells why it refuses a credential, and the names of the keys that there are: that stays inside. */
function refusedInOurWords(response: Response): Response {
  const code = response.headers.get(ErrorCodeHeader);
  if (!code) return response;
  if (response.status < 500) return problem('unauthorized').toResponse();
  console.error(code);
  return problem('internal').toResponse();
}

function withCors(response: Response): Response {
  for (const [name, value] of Object.entries(corsHeaders)) response.headers.set(name, value);
  return response;
}

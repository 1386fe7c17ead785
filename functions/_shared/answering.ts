/** The shell around `withSupabase`: method, CORS, and one form for every refusal. */
import { ErrorCodeHeader } from '@supabase/server';
import { corsHeaders } from '@supabase/supabase-js/cors';
import { problem, problemOf } from './problems.ts';

type Handler = (request: Request) => Promise<Response>;

/** Answers one method by the handler, and everything else by itself. */
export function answering(method: 'GET' | 'POST', handler: Handler): Handler {
  return async (request) => withCors(await answer(method, handler, request));
}

async function answer(method: string, handler: Handler, request: Request): Promise<Response> {
  if (request.method === 'OPTIONS') return new Response(null, { status: 204 });
  if (request.method !== method) {
    const response = problem('method_not_allowed').toResponse();
    response.headers.set('Allow', method);
    return response;
  }
  try {
    return refusedInOurWords(await handler(request));
  } catch (error) {
    return problemOf(error).toResponse();
  }
}

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

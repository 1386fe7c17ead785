create or replace function imago.error_json(code text, variadic args text[])
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('code', e.code, 'message', format(e.message, variadic args), 'hint', format(e.hint, variadic args))
  from imago.error e where e.code = error_json.code
$$;
comment on function imago.error_json(text, text[]) is 'An error of imago.error as code, message and hint, for answers that do not raise it.';

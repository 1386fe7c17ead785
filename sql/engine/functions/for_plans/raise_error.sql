create or replace function imago.raise_error(code text, variadic args text[] default '{}')
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  error imago.error;
begin
  select e.* into strict error from imago.error e where e.code = raise_error.code;
  raise exception using
    errcode = error.code,
    message = format(error.message, variadic args),
    hint = format(error.hint, variadic args);
end
$$;
comment on function imago.raise_error(text, text[]) is 'For plans: raises an error of imago.error with its values filled in.

Example: select imago.raise_error(''IM012'', ''view public.user_initials'')';

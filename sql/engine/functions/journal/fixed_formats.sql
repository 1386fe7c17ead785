create or replace function imago.fixed_formats()
returns text
language sql
immutable
set search_path = ''
as $$
  select 'set timezone = ''UTC'' set datestyle = ''ISO, YMD'' set intervalstyle = ''postgres'' set extra_float_digits = 1 set bytea_output = ''hex'''
$$;
comment on function imago.fixed_formats() is 'SQL: the set clauses of a function that takes fingerprints. These are made of a row''s text, which has to be the same everywhere.';

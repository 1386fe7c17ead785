create or replace function avatars.countable(relation text, owner_column text)
returns boolean
language sql
stable
set search_path = ''
as $$
  -- Without an index each user would cost a read of the whole table.
  select owner_column is not null and avatars.first_column(relation, 'avatar_id') is not null
    and (imago.estimated_rows(relation) < 10000 or not exists (select from imago.index_warning(relation, owner_column, 'the check')))
$$;
comment on function avatars.countable(text, text) is 'Whether the rows of a relation can be counted user by user: it has the columns, and is small or indexed.';

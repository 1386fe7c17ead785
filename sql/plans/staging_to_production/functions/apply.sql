create or replace function staging_to_production.apply(keys text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform set_config('search_path', imago.app_search_path(), true);
  insert into public."Image" as i (id, url, "publicId", "uploadedAt")
  select u.id, u.url, u."publicId", u."uploadedAt" from public."UserImage" u where u.id = any (keys)
  on conflict (id) do update set url = excluded.url, "publicId" = excluded."publicId", "uploadedAt" = excluded."uploadedAt"
  where (i.url, i."publicId", i."uploadedAt") is distinct from (excluded.url, excluded."publicId", excluded."uploadedAt");
end
$$;
comment on function staging_to_production.apply(text[]) is 'Moves exactly these images to "Image", with the same ids.';

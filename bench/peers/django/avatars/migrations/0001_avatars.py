"""A default avatar for each user, in chunks, each in a transaction: RunPython as the documentation of Django has it."""
from django.db import migrations, transaction

from avatars.models import Avatar, Follow, Post, User

chunk = 1000


def there(apps, schema_editor):
    while True:
        with transaction.atomic():
            users = list(User.objects.filter(active_avatar_id=None).order_by("id")[:chunk])
            if not users:
                return
            made = [
                Avatar(
                    owner_user_id=user.id,
                    name=user.display_name or user.username or "user",
                    bio=user.bio,
                    avatar_image_url=user.avatar_url,
                )
                for user in users
            ]
            Avatar.objects.bulk_create(made)
            for user, avatar in zip(users, made):
                user.active_avatar_id = avatar.id
                Post.objects.filter(user_id=user.id).update(avatar_id=avatar.id)
                Follow.objects.filter(followed_id=user.id).update(avatar_id=avatar.id)
            User.objects.bulk_update(users, ["active_avatar_id"])


def back(apps, schema_editor):
    while True:
        with transaction.atomic():
            ids = list(Avatar.objects.order_by("id").values_list("id", flat=True)[:chunk])
            if not ids:
                return
            User.objects.filter(active_avatar_id__in=ids).update(active_avatar_id=None)
            Post.objects.filter(avatar_id__in=ids).update(avatar_id=None)
            Follow.objects.filter(avatar_id__in=ids).update(avatar_id=None)
            Avatar.objects.filter(id__in=ids).delete()


class Migration(migrations.Migration):
    atomic = False
    dependencies = []
    operations = [migrations.RunPython(there, back)]

"""The tables of the sample app, as an app of Django that did not make them has them."""
import uuid

from django.db import models


class User(models.Model):
    id = models.UUIDField(primary_key=True)
    display_name = models.TextField(null=True)
    username = models.TextField(null=True)
    bio = models.TextField(null=True)
    avatar_url = models.TextField(null=True)
    active_avatar_id = models.UUIDField(null=True)

    class Meta:
        managed = False
        db_table = "users"


class Avatar(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    owner_user_id = models.UUIDField()
    name = models.TextField()
    bio = models.TextField(null=True)
    avatar_image_url = models.TextField(null=True)

    class Meta:
        managed = False
        db_table = "avatars"


class Post(models.Model):
    id = models.UUIDField(primary_key=True)
    user_id = models.UUIDField()
    avatar_id = models.UUIDField(null=True)

    class Meta:
        managed = False
        db_table = "posts"


class Follow(models.Model):
    id = models.UUIDField(primary_key=True)
    followed_id = models.UUIDField()
    avatar_id = models.UUIDField(null=True)

    class Meta:
        managed = False
        db_table = "follows"

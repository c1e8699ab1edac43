// Package django reads what Django's `manage.py dumpdata --format json` writes, with or
// without natural keys: content types, permissions, groups, and people of django.contrib.auth
// or of a model of the project's own (https://docs.djangoproject.com/en/5.2/topics/serialization/).
//
// A permission that Django calls blog.add_post becomes blog:add_post, a permission of
// the API of its app. Passwords stay in Django's form until their owners sign in
// (accounts.ImportedHash). The sub of a person is made of their primary key.
package django

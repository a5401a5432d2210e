// SPDX-License-Identifier: GPL-2.0-only
/* The life of objects. */
#include <linux/completion.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iommufd.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/percpu.h>

#include "unit.h"

#include "../iommufd/object.c"

/* An object that says when it goes, and lets go of what it depends on. */
struct test_object {
	struct iommufd_object obj;
	unsigned int *destroyed;
	struct iommufd_object *needs[2];
};

static void test_object_destroy(struct iommufd_object *obj)
{
	struct test_object *t = container_of(obj, struct test_object, obj);
	unsigned int i;

	if (obj->in_use || obj->users)
		kt_fail_case("destroyed with %u at work, %u users", obj->in_use, obj->users);
	(*t->destroyed)++;
	for (i = 0; i != ARRAY_SIZE(t->needs); i++)
		if (t->needs[i])
			iommufd_object_release(t->needs[i]);
}

static const struct iommufd_object_ops user_ops = {
	.type = IOMMUFD_OBJ_IOAS,
	.user_destroy = true,
	.destroy = test_object_destroy,
};

static const struct iommufd_object_ops kernel_ops = {
	.type = IOMMUFD_OBJ_DEVICE,
	.destroy = test_object_destroy,
};

struct object_world {
	struct iommufd_ctx ctx;
	unsigned int destroyed;
};

static struct object_world *create_objects(struct kunit *test)
{
	struct object_world *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, w);
	KUNIT_ASSERT_EQ(test, iommufd_count_objects(), 0UL);
	xa_init_flags(&w->ctx.objects, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	init_waitqueue_head(&w->ctx.wait);
	return w;
}

static struct iommufd_object *make(struct kunit *test, struct object_world *w,
				   const struct iommufd_object_ops *ops)
{
	struct iommufd_object *obj;

	obj = iommufd_object_alloc(&w->ctx, sizeof(struct test_object), ops);
	KUNIT_ASSERT_FALSE(test, IS_ERR(obj));
	container_of(obj, struct test_object, obj)->destroyed = &w->destroyed;
	return obj;
}

static struct iommufd_object *make_published(struct kunit *test,
					     struct object_world *w,
					     const struct iommufd_object_ops *ops)
{
	struct iommufd_object *obj = make(test, w, ops);

	iommufd_object_publish(obj);
	return obj;
}

static bool found(struct object_world *w, u32 id, enum iommufd_object_type type)
{
	struct iommufd_object *obj = iommufd_object_find(&w->ctx, id, type);

	if (IS_ERR(obj)) {
		if (obj != ERR_PTR(-ENOENT))
			kt_fail_case("find: %ld", PTR_ERR(obj));
		return false;
	}
	iommufd_object_done(obj);
	return true;
}

static void object_publish(struct kunit *test)
{
	struct object_world *w = create_objects(test);
	struct iommufd_object *a, *b, *c;

	a = make(test, w, &user_ops);
	KUNIT_EXPECT_EQ(test, a->id, 1U);
	KUNIT_EXPECT_FALSE(test, found(w, a->id, IOMMUFD_OBJ_ANY));
	KUNIT_EXPECT_EQ(test, iommufd_object_destroy_id(&w->ctx, a->id), -ENOENT);
	b = make(test, w, &user_ops);
	KUNIT_EXPECT_EQ(test, b->id, 2U);

	iommufd_object_publish(a);
	KUNIT_EXPECT_TRUE(test, found(w, a->id, IOMMUFD_OBJ_ANY));
	KUNIT_EXPECT_TRUE(test, found(w, a->id, IOMMUFD_OBJ_IOAS));
	KUNIT_EXPECT_FALSE(test, found(w, a->id, IOMMUFD_OBJ_HWPT));
	KUNIT_EXPECT_FALSE(test, found(w, b->id, IOMMUFD_OBJ_ANY));
	KUNIT_EXPECT_FALSE(test, found(w, 0, IOMMUFD_OBJ_ANY));
	KUNIT_EXPECT_FALSE(test, found(w, ~0U, IOMMUFD_OBJ_ANY));
	KUNIT_EXPECT_EQ(test, iommufd_count_objects(), 2UL);

	/* An id that was given up can come again. */
	iommufd_object_abort(b);
	KUNIT_EXPECT_EQ(test, w->destroyed, 0U);
	c = make_published(test, w, &user_ops);
	KUNIT_EXPECT_EQ(test, c->id, 2U);
	KUNIT_EXPECT_TRUE(test, found(w, 2, IOMMUFD_OBJ_IOAS));

	iommufd_object_destroy_all(&w->ctx);
	KUNIT_EXPECT_EQ(test, w->destroyed, 2U);
	KUNIT_EXPECT_EQ(test, iommufd_count_objects(), 0UL);
}

static void object_no_memory(struct kunit *test)
{
	struct object_world *w = create_objects(test);
	unsigned int n;

	for (n = 1; n != 3; n++) {
		kt_fail_alloc(n);
		KUNIT_EXPECT_PTR_EQ(test, iommufd_object_alloc(&w->ctx, sizeof(struct test_object),
							       &user_ops), ERR_PTR(-ENOMEM));
		KUNIT_EXPECT_TRUE(test, kt_alloc_failed());
		kt_fail_alloc(0);
		KUNIT_EXPECT_EQ(test, iommufd_count_objects(), 0UL);
		KUNIT_EXPECT_TRUE(test, xa_empty(&w->ctx.objects));
	}
}

static void object_destroy_rules(struct kunit *test)
{
	struct object_world *w = create_objects(test);
	struct iommufd_object *a = make_published(test, w, &user_ops);
	struct iommufd_object *kernel = make_published(test, w, &kernel_ops);
	u32 id = a->id;

	KUNIT_EXPECT_EQ(test, iommufd_object_destroy_id(&w->ctx, 0), -ENOENT);
	KUNIT_EXPECT_EQ(test, iommufd_object_destroy_id(&w->ctx, kernel->id), -EBUSY);
	iommufd_object_hold(a);
	iommufd_object_hold(a);
	KUNIT_EXPECT_EQ(test, iommufd_object_destroy_id(&w->ctx, id), -EBUSY);
	iommufd_object_release(a);
	KUNIT_EXPECT_EQ(test, iommufd_object_destroy_id(&w->ctx, id), -EBUSY);
	KUNIT_EXPECT_TRUE(test, found(w, id, IOMMUFD_OBJ_IOAS));
	iommufd_object_release(a);

	/* What VFIO's ioctls act on is forgotten with the object. */
	w->ctx.vfio_ioas = (struct iommufd_ioas *)a;
	KUNIT_EXPECT_EQ(test, iommufd_object_destroy_id(&w->ctx, id), 0);
	KUNIT_EXPECT_PTR_EQ(test, w->ctx.vfio_ioas, NULL);
	KUNIT_EXPECT_EQ(test, w->destroyed, 1U);
	KUNIT_EXPECT_FALSE(test, found(w, id, IOMMUFD_OBJ_ANY));
	KUNIT_EXPECT_EQ(test, iommufd_object_destroy_id(&w->ctx, id), -ENOENT);

	w->ctx.vfio_ioas = (struct iommufd_ioas *)&w->destroyed;
	iommufd_object_remove(kernel);
	KUNIT_EXPECT_PTR_EQ(test, w->ctx.vfio_ioas, (struct iommufd_ioas *)&w->destroyed);
	KUNIT_EXPECT_EQ(test, w->destroyed, 2U);
	KUNIT_EXPECT_TRUE(test, xa_empty(&w->ctx.objects));
	KUNIT_EXPECT_EQ(test, iommufd_count_objects(), 0UL);
}

/* A thread that destroys, as a call at work makes it wait. */
struct destroyer {
	struct object_world *w;
	struct iommufd_object *obj;
	bool remove;
	int rc;
	struct completion done;
};

static int destroyer_thread(void *data)
{
	struct destroyer *d = data;

	if (d->remove)
		iommufd_object_remove(d->obj);
	else
		d->rc = iommufd_object_destroy_id(&d->w->ctx, d->obj->id);
	complete(&d->done);
	return 0;
}

/* Start it, and return when it waits. */
static void start_destroyer(struct kunit *test, struct destroyer *d)
{
	struct task_struct *task;

	init_completion(&d->done);
	d->rc = 1;
	task = kthread_run(destroyer_thread, d, "kt_destroyer");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	/* waitqueue_active() without a barrier: seen late is early enough. */
	while (!waitqueue_active(&d->w->ctx.wait))
		cond_resched();
}

static void object_destroy_waits(struct kunit *test)
{
	struct object_world *w = create_objects(test);
	struct destroyer d = { .w = w };
	struct iommufd_object *obj, *busy;
	u32 id;

	obj = make_published(test, w, &user_ops);
	id = obj->id;
	d.obj = obj;

	/* The call at work makes something depend on the object: it stays. */
	busy = iommufd_object_find(&w->ctx, id, IOMMUFD_OBJ_IOAS);
	KUNIT_ASSERT_PTR_EQ(test, busy, obj);
	start_destroyer(test, &d);
	KUNIT_EXPECT_FALSE(test, found(w, id, IOMMUFD_OBJ_ANY));
	KUNIT_EXPECT_EQ(test, iommufd_object_destroy_id(&w->ctx, id), -ENOENT);
	iommufd_object_hold(obj);
	iommufd_object_done(busy);
	wait_for_completion(&d.done);
	KUNIT_EXPECT_EQ(test, d.rc, -EBUSY);
	KUNIT_EXPECT_TRUE(test, found(w, id, IOMMUFD_OBJ_ANY));
	KUNIT_EXPECT_EQ(test, w->destroyed, 0U);
	iommufd_object_release(obj);

	/* Two calls at work: the last one lets it go. */
	busy = iommufd_object_find(&w->ctx, id, IOMMUFD_OBJ_IOAS);
	busy = iommufd_object_find(&w->ctx, id, IOMMUFD_OBJ_IOAS);
	start_destroyer(test, &d);
	iommufd_object_done(busy);
	KUNIT_EXPECT_FALSE(test, completion_done(&d.done));
	KUNIT_EXPECT_EQ(test, w->destroyed, 0U);
	iommufd_object_done(busy);
	wait_for_completion(&d.done);
	KUNIT_EXPECT_EQ(test, d.rc, 0);
	KUNIT_EXPECT_EQ(test, w->destroyed, 1U);

	/* The same for the kernel's own. */
	d.obj = make_published(test, w, &kernel_ops);
	d.remove = true;
	busy = iommufd_object_find(&w->ctx, d.obj->id, IOMMUFD_OBJ_DEVICE);
	start_destroyer(test, &d);
	KUNIT_EXPECT_FALSE(test, found(w, d.obj->id, IOMMUFD_OBJ_ANY));
	iommufd_object_done(busy);
	wait_for_completion(&d.done);
	KUNIT_EXPECT_EQ(test, w->destroyed, 2U);
	KUNIT_EXPECT_TRUE(test, xa_empty(&w->ctx.objects));
}

/* A use by pointer counts as one by id. */
static void object_use_counts(struct kunit *test)
{
	struct object_world *w = create_objects(test);
	struct iommufd_object *obj = make_published(test, w, &user_ops);

	xa_lock(&w->ctx.objects);
	iommufd_object_use(obj);
	xa_unlock(&w->ctx.objects);
	KUNIT_EXPECT_EQ(test, obj->in_use, 1U);
	KUNIT_EXPECT_FALSE(test, object_idle(obj));
	iommufd_object_done(obj);
	KUNIT_EXPECT_TRUE(test, object_idle(obj));

	kt_expect_warnings(true);
	iommufd_object_release(obj);
	KUNIT_EXPECT_EQ(test, kt_warnings(), 1U);
	obj->users = 0;
	iommufd_object_destroy_all(&w->ctx);
}

#define MAX_OBJECTS 40

/* Random objects that depend on earlier ones go in some order, all of them. */
static void object_random(struct kunit *test)
{
	struct object_world *w = create_objects(test);
	struct iommufd_object *objs[MAX_OBJECTS];
	unsigned int round, n, i, live;
	struct test_object *t;
	int rc;

	kt_seed(test);
	for (round = 0; round != 20 * kt_rounds; round++) {
		w->destroyed = 0;
		for (n = 0; n != MAX_OBJECTS; n++) {
			objs[n] = make(test, w, &user_ops);
			t = container_of(objs[n], struct test_object, obj);
			for (i = 0; n && i != ARRAY_SIZE(t->needs); i++) {
				unsigned int needed = kt_random(n);

				if (kt_chance(2))
					continue;
				t->needs[i] = objs[needed];
				iommufd_object_hold(objs[needed]);
			}
			iommufd_object_publish(objs[n]);
		}
		/* Some are destroyed by userspace, if nothing needs them. */
		live = MAX_OBJECTS;
		for (n = MAX_OBJECTS; n--;) {
			bool may = objs[n]->ops->user_destroy && !objs[n]->users;

			if (kt_chance(2))
				continue;
			rc = iommufd_object_destroy_id(&w->ctx, objs[n]->id);
			KUNIT_ASSERT_EQ(test, rc, may ? 0 : -EBUSY);
			live -= may;
			KUNIT_ASSERT_EQ(test, w->destroyed, MAX_OBJECTS - live);
			KUNIT_ASSERT_EQ(test, iommufd_count_objects(), (unsigned long)live);
		}
		iommufd_object_destroy_all(&w->ctx);
		KUNIT_ASSERT_EQ(test, w->destroyed, (unsigned int)MAX_OBJECTS);
		KUNIT_ASSERT_EQ(test, iommufd_count_objects(), 0UL);
		xa_init_flags(&w->ctx.objects, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	}
}

static struct kunit_case object_cases[] = {
	KUNIT_CASE(object_publish),
	KUNIT_CASE(object_no_memory),
	KUNIT_CASE(object_destroy_rules),
	KUNIT_CASE(object_destroy_waits),
	KUNIT_CASE(object_use_counts),
	KUNIT_CASE(object_random),
	{}
};

struct kunit_suite kt_object_suite = {
	.name = "iommufd_object",
	.init = kt_case_init,
	.exit = kt_case_exit,
	.test_cases = object_cases,
};

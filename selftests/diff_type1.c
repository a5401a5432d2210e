// SPDX-License-Identifier: GPL-2.0-only
/*
 * The differential test: the same sequences of type1 ioctls on stock
 * vfio_iommu_type1 and on this project, in one boot and on the same devices,
 * must give the same answers.
 *
 * Wants /dev/vfio/vfio to be a symlink to /dev/iommu, and vfio_iommu_type1
 * loaded: containers of vfio.ko's own device number are type1's then.
 *
 *   diff_type1 [--seeds N] [--first-seed S] [--steps N] [--dma-every N]
 *       all directed sequences, then N random steps for each of the seeds
 *   diff_type1 --seed S --seq I --dma-every N [--upto N]
 *   diff_type1 --directed I [--upto N]
 *       one sequence again, each step shown
 *   --keep-going
 *       do not stop comparing a sequence at the first difference, after which
 *       the two sides may be in different states
 */
#include <getopt.h>
#include <time.h>

#include "diff_directed.h"
#include "diff_exec.h"
#include "diff_gen.h"
#include "diff_rules.h"

#define MAX_FAILURES 5

static struct {
	unsigned long seeds, first_seed, steps, dma_every, upto;
	long seed, seq, directed;
	bool keep_going;
} options = {
	.seeds = 4, .first_seed = 1, .steps = 5000, .dma_every = 25, .upto = ~0UL,
	.seed = -1, .seq = -1, .directed = -1,
};

static struct vfio_pci_addr groups[2];
static struct sequence sequence;
static struct record *records[2];
static uint32_t *done;
static unsigned int failures;
static unsigned long compared, wanted, met;
static time_t last_note;
static bool verbose;

static void *shared_memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		bail("mmap of %zu bytes", size);
	return p;
}

static void progress(void)
{
	time_t now = time(NULL);

	if (now < last_note + 10)
		return;
	last_note = now;
	note("%lu of about %lu steps compared, %lu listed differences, %u failures", compared,
	     wanted, met, failures);
}

static void say_replay(uint32_t step)
{
	if (options.directed >= 0)
		note("  again: selftests/diff_type1 --directed %ld --upto %u", options.directed,
		     step + 1);
	else
		note("  again: selftests/diff_type1 --seed %ld --seq %ld --dma-every %lu --upto %u",
		     options.seed, options.seq, options.dma_every, step + 1);
}

static void show_step(uint32_t i, const char *what)
{
	const struct record *stock = &records[0][i], *ours = &records[1][i];
	char head[96];

	snprintf(head, sizeof(head), "step %u, %s: ", i, what);
	step_print(head, &sequence.steps[i]);
	record_print("stock", stock);
	record_print("here", ours);
	bytes_print("argument", stock->window, ours->window, WINDOW);
	bytes_print("bitmap", stock->bitmap, ours->bitmap, sizeof(stock->bitmap));
	fflush(stdout);
}

/* False when the two sides differ in a way that is not listed */
static bool compare_step(uint32_t i)
{
	const struct step *s = &sequence.steps[i];
	const struct record *stock = &records[0][i], *ours = &records[1][i];
	struct expected *e;

	compared++;
	if (records_equal(stock, ours)) {
		if (verbose)
			show_step(i, "the same");
		return true;
	}
	e = explain(s, stock, ours);
	if (!e) {
		note("not the same, and not listed; sequence '%s':", sequence.name);
		show_step(i, "NOT THE SAME");
		say_replay(i);
		return false;
	}
	if (verbose)
		show_step(i, e->name);
	e->met++;
	met++;
	return true;
}

/* Runs the sequence on both sides and compares.  False on a failure. */
static bool run_sequence(void)
{
	static const char *const nodes[2] = { STOCK_NODE, VFIO_NODE };
	bool good = true;
	int status[2];

	if (sequence.n > options.upto)
		sequence.n = options.upto;
	for (int i = 0; i < 2; i++) {
		memset(records[i], 0, sequence.n * sizeof(*records[i]));
		done[i] = 0;
		status[i] = run_side(nodes[i], groups, &sequence, records[i], &done[i]);
	}
	for (uint32_t i = 0; i < sequence.n; i++) {
		if (i >= done[0] || i >= done[1]) {
			note("sequence '%s': ended at step %u on %s", sequence.name, i,
			     i >= done[0] ? "stock" : "this project");
			step_print("  ", &sequence.steps[i]);
			say_replay(i);
			return false;
		}
		if (!compare_step(i)) {
			good = false;
			if (!options.keep_going)
				return false;
		}
	}
	progress();
	if (status[0] || status[1])
		note("sequence '%s': exit status %d on stock, %d here", sequence.name, status[0],
		     status[1]);
	return good && !status[0] && !status[1];
}

static void run_directed(void)
{
	for (unsigned int i = 0; i < NDIRECTED; i++) {
		options.directed = i;
		directed_sequence(&sequence, i);
		ok(run_sequence(), "directed: %s (%u steps)", sequence.name, sequence.n);
	}
	options.directed = -1;
}

static void run_seed(unsigned long seed)
{
	unsigned long before = compared;
	bool good = true;

	options.seed = seed;
	for (uint32_t i = 0; compared - before < options.steps; i++) {
		options.seq = i;
		gen_sequence(&sequence, seed, i, options.dma_every);
		if (run_sequence())
			continue;
		good = false;
		failures++;
		if (failures >= MAX_FAILURES) {
			note("%d sequences failed: enough", MAX_FAILURES);
			break;
		}
	}
	ok(good, "random: seed %lu, %lu steps", seed, compared - before);
}

static void run_all(void)
{
	unsigned long first;

	wanted = 60000 + options.seeds * options.steps;
	expected_check_rules();
	run_directed();
	first = compared;
	for (unsigned long i = 0; i < options.seeds && failures < MAX_FAILURES; i++)
		run_seed(options.first_seed + i);
	note("%lu directed steps and %lu random ones compared", first, compared - first);
	for (unsigned int i = 0; i < nexpected; i++)
		if (expected[i].rule)
			ok(expected[i].met, "the listed difference %s was met (%lu times)",
			   expected[i].name, expected[i].met);
}

static void run_one(void)
{
	verbose = true;
	if (options.directed >= 0)
		directed_sequence(&sequence, options.directed);
	else
		gen_sequence(&sequence, options.seed, options.seq, options.dma_every);
	ok(run_sequence(), "%s", sequence.name);
}

static void parse_options(int argc, char **argv)
{
	static const struct option names[] = {
		{ "seeds", 1, NULL, 'n' }, { "first-seed", 1, NULL, 'f' },
		{ "steps", 1, NULL, 's' }, { "dma-every", 1, NULL, 'd' },
		{ "upto", 1, NULL, 'u' }, { "seed", 1, NULL, 'S' },
		{ "seq", 1, NULL, 'q' }, { "directed", 1, NULL, 'D' },
		{ "keep-going", 0, NULL, 'k' }, {},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		unsigned long val = optarg ? strtoul(optarg, NULL, 0) : 0;

		if (c == 'n')
			options.seeds = val;
		else if (c == 'f')
			options.first_seed = val;
		else if (c == 's')
			options.steps = val;
		else if (c == 'd')
			options.dma_every = val;
		else if (c == 'u')
			options.upto = val;
		else if (c == 'S')
			options.seed = val;
		else if (c == 'q')
			options.seq = val;
		else if (c == 'D')
			options.directed = val;
		else if (c == 'k')
			options.keep_going = true;
		else
			exit(2);
	}
	if (options.seed >= 0 && options.seq < 0)
		options.seq = 0;
	if (optind != argc || !options.upto ||
	    options.directed >= (long)NDIRECTED)
		exit(2);
}

int main(int argc, char **argv)
{
	unsigned long limit;

	parse_options(argc, argv);
	expected_read(argv[0]);
	if (!edu_find_pair(false, groups))
		bail("no two edu devices in different groups");
	for (int i = 0; i < 2; i++)
		records[i] = shared_memory(MAX_STEPS * sizeof(*records[i]));
	done = shared_memory(PAGE);
	last_note = time(NULL);

	stock_node_make();
	check_sides();
	/* Known difference dma-entry-limit: the same limit for both */
	limit = limit_get(OUR_LIMIT);
	limit_set(OUR_LIMIT, STOCK_LIMIT_DEFAULT);
	if (options.directed >= 0 || options.seed >= 0)
		run_one();
	else
		run_all();
	limit_set(OUR_LIMIT, limit);
	unlink(STOCK_NODE);
	return tap_done();
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who waits for requests: threads that take them from a socket, as libfuse's take them from the kernel. */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuse/turns.h"
#include "tests/unit.h"

enum { THREADS = 6, QUICK = 'q', STUCK = 's' };

static struct turns *turns;
static int ours, theirs; /* ends of the socket: the kernel's, the threads' */
static sem_t release;	 /* those that are stuck go on */
static _Atomic int begun, reading;
static pthread_t threads[THREADS];

/* AddressSanitizer minds variables on the stack of a thread that is cancelled. */
static _Thread_local char request;

static void serve_one(void)
{
	ssize_t len;

	turns_begin(turns);
	reading++;
	len = read(theirs, &request, 1);
	reading--;
	turns_end(turns);
	if (len != 1)
		return;
	if (request == STUCK) {
		begun++;
		while (sem_wait(&release) < 0)
			;
	}
	(void)!write(theirs, &request, 1);
}

static void *serve(void *arg)
{
	for (;;)
		serve_one();
	return NULL;
}

static void setup(void)
{
	int ends[2];

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	ours = ends[0];
	theirs = ends[1];
	sem_init(&release, 0, 0);
	begun = reading = 0;
	CU_ASSERT_EQUAL_FATAL(turns_new(THREADS, &turns), 0);
	for (int i = 0; i < THREADS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, serve, NULL), 0);
}

/* As at the end of a mount: some wait, some are parked. */
static void teardown(void)
{
	for (int i = 0; i < THREADS; i++)
		pthread_cancel(threads[i]);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	turns_free(turns);
	sem_destroy(&release);
	close(ours);
	close(theirs);
}

static void ask(char kind)
{
	CU_ASSERT_EQUAL_FATAL(write(ours, &kind, 1), 1);
}

static void answer(void)
{
	char kind;

	CU_ASSERT_EQUAL_FATAL(read(ours, &kind, 1), 1);
}

/* Of many that have nothing to do two wait. */
static void test_two_wait(void)
{
	setup();
	while (reading < 2)
		usleep(100);
	usleep(20000);
	CU_ASSERT_EQUAL(reading, 2);
	for (int i = 0; i < 500; i++) {
		ask(QUICK);
		answer();
	}
	teardown();
}

/* All but one are stuck, and what else is asked is answered, again and again. */
static void test_stuck(void)
{
	setup();
	for (int stuck = 1; stuck < THREADS; stuck++) {
		begun = 0;
		for (int i = 0; i < stuck; i++)
			ask(STUCK);
		while (begun < stuck)
			usleep(100);
		for (int i = 0; i < 50; i++) {
			ask(QUICK);
			answer();
		}
		for (int i = 0; i < stuck; i++)
			sem_post(&release);
		for (int i = 0; i < stuck; i++)
			answer();
	}
	teardown();
}

/* When all are stuck, the first one that is not any more takes what has come. */
static void test_all_stuck(void)
{
	setup();
	for (int round = 0; round < 20; round++) {
		begun = 0;
		for (int i = 0; i < THREADS; i++)
			ask(STUCK);
		while (begun < THREADS)
			usleep(100);
		ask(QUICK);
		for (int i = 0; i < THREADS; i++)
			sem_post(&release);
		for (int i = 0; i < THREADS + 1; i++)
			answer();
	}
	teardown();
}

/* Many at once, of both kinds: none is lost. */
static void test_many(void)
{
	setup();
	for (int round = 0; round < (int)unit_times(200, 20); round++) {
		for (int i = 0; i < 20; i++)
			ask(i % 3 ? QUICK : STUCK);
		for (int i = 0; i < 7; i++)
			sem_post(&release);
		for (int i = 0; i < 20; i++)
			answer();
	}
	teardown();
}

int main(void)
{
	return UNIT_RUN(UNIT(test_two_wait), UNIT(test_stuck), UNIT(test_all_stuck), UNIT(test_many));
}

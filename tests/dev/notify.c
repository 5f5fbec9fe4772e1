/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In libnotify's place: what would be shown goes into the file $NOTIFIED. */
#include <stdio.h>
#include <stdlib.h>

int notify_init(const char *app);
void *notify_notification_new(const char *summary, const char *body, const char *icon);
void notify_notification_set_urgency(void *notification, int urgency);
int notify_notification_show(void *notification, void **error);

static const char *shown[2];

int notify_init(const char *app)
{
	return app != NULL;
}

void *notify_notification_new(const char *summary, const char *body, const char *icon)
{
	shown[0] = summary;
	shown[1] = body;
	return shown;
}

void notify_notification_set_urgency(void *notification, int urgency)
{
}

int notify_notification_show(void *notification, void **error)
{
	const char *name = getenv("NOTIFIED");
	FILE *f = name ? fopen(name, "ae") : NULL;

	if (!f)
		return 0;
	fprintf(f, "%s: %s\n", shown[0], shown[1]);
	return fclose(f) == 0;
}

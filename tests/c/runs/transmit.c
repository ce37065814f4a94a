// A packet on its way into a tunnel, which may be written.
#include "runs.h"

SEC("lwt_xmit")
int program(struct __sk_buff *skb)
{
	__u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 seen = 0;

	NOTE(seen, skb->len);
	if (data + 20 <= end) {
		data[3] = data[19] + 1;
		NOTE(seen, data[3]);
		NOTE(seen, data[0]);
	}
	skb->mark = 5;
	NOTE(seen, skb->mark);
	return seen;
}

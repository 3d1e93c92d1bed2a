/* SPDX-License-Identifier: Apache-2.0 */
/* A long way between two network namespaces, for kernels that have no netem: a pair of TUN devices with
 * this process in between, which holds every packet back for the way's delay, and lets each connection
 * have so many bytes a second.
 *
 *   slow_link DELAY_MS MB_PER_S        delay of one way; rate per connection and direction
 *
 * The servers stay in the namespace it is started in and answer on FAR_ADDRESS; the clients enter the new
 * namespace that it makes for itself (setns to /proc/PID/ns/net), where theirs is NEAR_ADDRESS. Prints
 * "ready" once packets flow, ends with SIGTERM. Needs CAP_NET_ADMIN and CAP_SYS_ADMIN, as root has.
 *
 * A packet is whatever the kernel would hand to a network card that segments by itself: up to 64 KiB of one
 * connection, still an MTU of 1500 to TCP, so slow start is that of a real way while the work per byte
 * stays small. It owns the packets under way, a heap by the time at which they are due. One thread. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FAR_ADDRESS "10.99.0.1"
#define NEAR_ADDRESS "10.99.0.2"
#define NETWORK_MASK "255.255.255.252"

enum {
  PACKET_MAX = 65535 + sizeof(struct virtio_net_hdr),
  UNDER_WAY_MAX = 1 << 16,   /* packets; more are dropped, as a full router would */
  UNDER_WAY_BYTES = 1 << 29, /* and bytes */
  DEVICE_QUEUE = 10000,
  READ_AT_ONCE = 64,
  PRIORITY = -15, /* a wire does not wait for a processor */
  NS_PER_S = 1000000000,
};

enum direction { TO_NEAR, TO_FAR, DIRECTIONS };

struct packet {
  int64_t due_ns;
  uint64_t order; /* of arrival: a connection's packets never overtake each other */
  int to_fd;
  uint32_t size;
  unsigned char data[];
};

static struct {
  struct packet *heap[UNDER_WAY_MAX];
  size_t count, bytes;
  uint64_t arrived;
} under_way;

/* When a connection's share of the way is free again, by the port of its client: all connections go to the
 * same few servers, so no two have the same at a time. */
static int64_t free_at_ns[DIRECTIONS][1 << 16];

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void die(const char *what) {
  fprintf(stderr, "slow_link: %s: %s\n", what, strerror(errno));
  exit(EXIT_FAILURE);
}

/* ---- devices ---------------------------------------------------------------------------------- */

static void set_address(int sock, const char *name, unsigned long request, const char *address) {
  struct ifreq req = {0};
  struct sockaddr_in in = {.sin_family = AF_INET};
  snprintf(req.ifr_name, sizeof req.ifr_name, "%s", name);
  if (inet_pton(AF_INET, address, &in.sin_addr) != 1) die(address);
  memcpy(&req.ifr_addr, &in, sizeof in);
  if (ioctl(sock, request, &req) < 0) die(address);
}

static void bring_up(int sock, const char *name) {
  struct ifreq req = {0};
  snprintf(req.ifr_name, sizeof req.ifr_name, "%s", name);
  if (ioctl(sock, SIOCGIFFLAGS, &req) < 0) die(name);
  req.ifr_flags = (short)(req.ifr_flags | IFF_UP);
  if (ioctl(sock, SIOCSIFFLAGS, &req) < 0) die(name);
}

/* A device of the current namespace, up, with an address, and loopback up beside it. */
static int open_device(const char *name, const char *address) {
  struct ifreq req = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
  snprintf(req.ifr_name, sizeof req.ifr_name, "%s", name);
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) die("/dev/net/tun");
  if (ioctl(fd, TUNSETIFF, &req) < 0) die(name);
  if (ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) < 0) die("segmentation offload");
  int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (sock < 0) die("socket");
  req.ifr_qlen = DEVICE_QUEUE;
  if (ioctl(sock, SIOCSIFTXQLEN, &req) < 0) die("queue length");
  set_address(sock, name, SIOCSIFADDR, address);
  set_address(sock, name, SIOCSIFNETMASK, NETWORK_MASK);
  bring_up(sock, name);
  bring_up(sock, "lo");
  close(sock);
  return fd;
}

/* ---- the packets under way, the next one due first -------------------------------------------- */

static int before(const struct packet *a, const struct packet *b) {
  return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static void push(struct packet *packet) {
  size_t at = under_way.count++;
  for (; at > 0 && before(packet, under_way.heap[(at - 1) / 2]); at = (at - 1) / 2)
    under_way.heap[at] = under_way.heap[(at - 1) / 2];
  under_way.heap[at] = packet;
  under_way.bytes += packet->size;
}

static struct packet *pop(void) {
  struct packet *first = under_way.heap[0];
  struct packet *last = under_way.heap[--under_way.count];
  size_t at = 0;
  for (size_t child = 1; child < under_way.count; child = 2 * at + 1) {
    if (child + 1 < under_way.count && before(under_way.heap[child + 1], under_way.heap[child]))
      child++;
    if (!before(under_way.heap[child], last)) break;
    under_way.heap[at] = under_way.heap[child];
    at = child;
  }
  under_way.heap[at] = last;
  under_way.bytes -= first->size;
  return first;
}

/* ---- the way ---------------------------------------------------------------------------------- */

/* The client's port of a TCP packet; 0 for all that is none, which then shares one connection. */
static uint16_t client_port(const unsigned char *data, size_t size, enum direction direction) {
  const unsigned char *ip = data + sizeof(struct virtio_net_hdr);
  size_t header = size > sizeof(struct virtio_net_hdr) ? (size_t)(ip[0] & 15) * 4 : 0;
  if (size < sizeof(struct virtio_net_hdr) + header + 4 || header < sizeof(struct iphdr) ||
      ip[0] >> 4 != 4 || ip[9] != IPPROTO_TCP)
    return 0;
  const unsigned char *port = ip + header + (direction == TO_NEAR ? 2 : 0);
  return (uint16_t)(port[0] << 8 | port[1]);
}

struct way {
  int64_t delay_ns;
  double ns_per_byte;
  int fds[DIRECTIONS]; /* that a direction's packets are written to */
};

static void take_in(const struct way *way, enum direction direction, const unsigned char *data,
                    size_t size) {
  if (under_way.count == UNDER_WAY_MAX || under_way.bytes + size > UNDER_WAY_BYTES) return;
  struct packet *packet = malloc(sizeof *packet + size);
  if (!packet) return;
  int64_t *free_at = &free_at_ns[direction][client_port(data, size, direction)];
  int64_t start = now_ns();
  if (*free_at > start) start = *free_at;
  *free_at = start + (int64_t)((double)size * way->ns_per_byte);
  packet->due_ns = *free_at + way->delay_ns;
  packet->order = under_way.arrived++;
  packet->to_fd = way->fds[direction];
  packet->size = (uint32_t)size;
  memcpy(packet->data, data, size);
  push(packet);
}

static void read_from(const struct way *way, int fd, enum direction direction) {
  static unsigned char data[PACKET_MAX];
  for (int i = 0; i < READ_AT_ONCE; i++) {
    ssize_t size = read(fd, data, sizeof data);
    if (size <= 0) return;
    take_in(way, direction, data, (size_t)size);
  }
}

/* Delivers what is due. → nanoseconds until the next is, -1 when there is none. */
static int64_t deliver(void) {
  while (under_way.count > 0) {
    int64_t left = under_way.heap[0]->due_ns - now_ns();
    if (left > 0) return left;
    struct packet *packet = pop();
    /* What the kernel does not take is lost, like anything on the way; TCP sends it again. */
    ssize_t ignored = write(packet->to_fd, packet->data, packet->size);
    (void)ignored;
    free(packet);
  }
  return -1;
}

static void forward(const struct way *way) {
  struct pollfd polled[] = {{.fd = way->fds[TO_NEAR], .events = POLLIN},
                            {.fd = way->fds[TO_FAR], .events = POLLIN}};
  for (;;) {
    int64_t left = deliver();
    struct timespec wait = {.tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S};
    if (ppoll(polled, 2, left < 0 ? NULL : &wait, NULL) < 0 && errno != EINTR) die("ppoll");
    read_from(way, way->fds[TO_NEAR], TO_FAR);
    read_from(way, way->fds[TO_FAR], TO_NEAR);
  }
}

int main(int argc, char **argv) {
  double delay_ms = argc == 3 ? strtod(argv[1], NULL) : -1;
  double rate = argc == 3 ? strtod(argv[2], NULL) : 0;
  if (delay_ms < 0 || delay_ms > 10000 || rate <= 0) {
    fputs("usage: slow_link DELAY_MS MB_PER_S\n", stderr);
    return 2;
  }
  struct way way = {.delay_ns = (int64_t)(delay_ms * 1e6), .ns_per_byte = 1e3 / rate};
  way.fds[TO_FAR] = open_device("slow-far", FAR_ADDRESS);
  if (unshare(CLONE_NEWNET) < 0) die("a network namespace");
  way.fds[TO_NEAR] = open_device("slow-near", NEAR_ADDRESS);
  prctl(PR_SET_TIMERSLACK, 1UL);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  setpriority(PRIO_PROCESS, 0, PRIORITY);
  puts("ready");
  fflush(stdout);
  forward(&way);
}

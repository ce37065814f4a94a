/*
 * The few members of the kernel's types that these programs read; where they really are, the
 * loader finds out (CO-RE).
 */
#ifndef KERNEL_TYPES_H
#define KERNEL_TYPES_H

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
    struct list_head *next, *prev;
};

struct mm_struct;
struct cred {
    struct {
        unsigned int val;
    } uid, gid;
};

struct task_struct {
    int pid;
    int tgid;
    unsigned int flags;
    char comm[16];
    struct task_struct *real_parent;
    struct task_struct *group_leader;
    struct list_head tasks;
    struct cred *cred;
    unsigned int in_execve : 1;
    unsigned int in_iowait : 1;
    int no_such_member;
};

struct net_device {
    unsigned int mtu;
    int ifindex;
    char name[16];
};

struct sk_buff {
    unsigned int len;
    unsigned int data_len;
    struct net_device *dev;
    unsigned char pkt_type : 3;
    unsigned char ip_summed : 2;
    unsigned char cloned : 1;
    __be16 protocol;
    unsigned char *head;
    unsigned char *data;
    unsigned short network_header;
};

struct no_such_type {
    int member;
};

/* What the kernel has under another name: all behind three underscores is ours alone. */
struct task_struct___other {
    unsigned long long start_time;
    int no_such_member_either;
};

#pragma clang attribute pop

enum pid_type { PIDTYPE_PID = 17, PIDTYPE_TGID, PIDTYPE_NO_SUCH = 1000 };

#endif

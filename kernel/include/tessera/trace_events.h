/* SPDX-License-Identifier: MIT */
/*
 * trace_events.h - every event that the kernel can record, as one table.
 *
 *	EVENTn(CLASS, event, KIND, field, ...)    n fields
 *
 * From it come, by including this file with other meanings of EVENTn: the emitters trace_EVENT(fields)
 * (trace.h), the numbers, the description that /proc/tessera/trace/format gives to whoever decodes a
 * dump, and the kernel's own decoder (debug/trace_text.c). An event is known by its name; numbers may
 * change from one kernel to the next.
 *
 * A kind is how a field is passed, stored (one word; NAME: two) and printed; trace.h lists them. An
 * event has at most TRACE_WORDS words. Every record also says when, on which CPU, and in which thread.
 */

/* Who runs where. `state`: what the thread that stops is then; RUNNABLE was preempted or yields. */
EVENT5(SCHED, sched_switch, TID, prev, STATE, state, TID, next, NAME, name, DEC, waiting)
EVENT3(SCHED, sched_wake, TID, thread, DEC, target, NAME, name)
EVENT3(SCHED, sched_migrate, TID, thread, DEC, from, DEC, to)
EVENT2(SCHED, sched_fork, TID, child, NAME, name)
EVENT1(SCHED, sched_exec, NAME, name)
EVENT1(SCHED, sched_exit, NAME, name)

EVENT7(SYSCALL, syscall_enter, CALL, number, HEX, a, HEX, b, HEX, c, HEX, d, HEX, e, HEX, f)
EVENT2(SYSCALL, syscall_exit, CALL, number, RESULT, result)

/* Page faults: of user code, and of the kernel while it copies to or from user memory. */
EVENT3(FAULT, fault_enter, HEX, address, ACCESS, access, PC, pc)
EVENT3(FAULT, fault_exit, HEX, address, ACCESS, access, RESULT, result)

EVENT2(IRQ, irq_enter, DEC, vector, PC, pc)
EVENT1(IRQ, irq_exit, DEC, vector)
EVENT2(IRQ, ipi_send, DEC, vector, DEC, target)

/* Only locks that were not free. `waited` in ns. */
EVENT3(LOCK, lock_wait, LOCK, class, HEX, lock, PC, pc)
EVENT4(LOCK, lock_acquired, LOCK, class, HEX, lock, NS, waited, PC, pc)
EVENT3(LOCK, lock_handover, LOCK, class, HEX, lock, PC, pc)

/* A change that needs a flush: `asked` CPUs got an interrupt, `spared` run something else. */
EVENT5(TLB, tlb_request, HEX, start, HEX, end, HEX, asked, DEC, spared, DEC, pages)
EVENT2(TLB, tlb_flush_range, HEX, start, HEX, end)
EVENT1(TLB, tlb_flush_all, DEC, global)
/* Asked, but it left that address space meanwhile, or only borrowed it: the next switch flushes. */
EVENT1(TLB, tlb_deferred, DEC, lazy)

EVENT2(MM, page_alloc, HEX, frame, DEC, order)
EVENT2(MM, page_free, HEX, frame, DEC, order)

EVENT2(TIMER, timer_fire, PC, function, NS, late)

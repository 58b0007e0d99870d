"""The interpreter's ways to Python and from it, as LLVM IR: machine code that calls Python's C API itself.

Through ctypes and a driver in Python a call across the border costs microseconds, most of them Python's own. These
functions do the common case, and give what is not common to the driver:

- `py_run(self, address)`, a method of Python's (METH_O): releases the GIL and runs from a context;
- `py_call(self, args, count)`, another (METH_FASTCALL): calls a guest's function from Python, given the guest's context
  and the arguments, where the guest is ready and the function returns within a slice: gives its result. Else it gives
  back a mark: nothing was done, or the guest is in the middle of the call and the context says what it left for;
- `py_slice(self, args, count)`, another: runs a call that is paused further, given the guest's context and how much
  fuel it may use, and gives the fuel that is left when that is used up; else as `py_call`;
- `host(ctx, fuel, fp, record)`: calls a Python function from native code, its arguments in the slots from `fp` on, with
  the header of a call behind them. Gives back the fuel that is left, the result in the slot at `fp`; or a status, the
  context telling where the guest stands.

All functions of the API belong to the limited API of Python 3.11 (`PyObject_Vectorcall`: 3.12; 3.11 has it too), and of
Python's objects only the type pointer is read, whose place is part of the stable ABI. No object's reference count is
touched but by the API. An exception that a host function raises stays Python's current one, the GIL held, while native
frames unwind; nothing of the API is called until `py_run` gives it to its caller.
"""

from __future__ import annotations

from itertools import count

from svm.engines.native.context import (
    COMPILED,
    FIRST_HEADER,
    RECORD_PARAMS,
    SLICES_FUEL,
    CallField,
    Exit,
    Field,
    Kind,
    RecordField,
    status_of,
)
from svm.lower import SLOT_BYTES
from svm.runtime.engine import GuestStack

__all__ = ["python_ir"]

_TYPE = 8
"""Byte offset of an object's type, in every build of CPython with the GIL and without Py_TRACE_REFS."""

_ARGUMENTS_OFFSET = -(1 << 63)
"""PY_VECTORCALL_ARGUMENTS_OFFSET: the slot before the arguments may be written to."""

_names = count()


def _get(name: str, field: int, type_: str = "i64") -> str:
    return f"%{name}.p = getelementptr i8, ptr %ctx, i64 {int(field)}\n%{name} = load {type_}, ptr %{name}.p, align 8\n"


def _set(field: int, value: str, type_: str = "i64") -> str:
    name = f"set{next(_names)}"
    return f"%{name} = getelementptr i8, ptr %ctx, i64 {int(field)}\nstore {type_} {value}, ptr %{name}, align 8\n"


def _of_record(name: str, field: int, type_: str) -> str:
    return (
        f"%{name}.p = getelementptr i8, ptr %record, i64 {int(field)}\n"
        f"%{name} = load {type_}, ptr %{name}.p, align 4\n"
    )


_API = """
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare void @Py_DecRef(ptr)
declare void @Py_IncRef(ptr)
declare i64 @PyThread_get_thread_ident()
declare void @PyErr_Clear()
declare ptr @PyErr_Occurred()
declare ptr @PyLong_AsVoidPtr(ptr)
declare i64 @PyLong_AsLongLongAndOverflow(ptr, ptr)
declare ptr @PyLong_FromLongLong(i64)
declare double @PyFloat_AsDouble(ptr)
declare ptr @PyFloat_FromDouble(double)
declare ptr @PyBytes_AsString(ptr)
declare ptr @PyByteArray_AsString(ptr)
declare i64 @PyBytes_Size(ptr)
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
"""


def _run() -> str:
    return f"""
define ptr @py_run(ptr %self, ptr %address) nounwind {{
  %ctx = call ptr @PyLong_AsVoidPtr(ptr %address)
  %status = call i64 @drive(ptr %ctx)
  %raised = icmp eq i64 %status, {int(Exit.RAISED)}
  br i1 %raised, label %raise, label %done
raise:
  ret ptr null
done:
  %result = call ptr @PyLong_FromLongLong(i64 %status)
  ret ptr %result
}}
define internal i64 @drive(ptr %ctx) nounwind {{
  %before = call ptr @PyEval_SaveThread()
  {_set(Field.THREAD, "%before", "ptr")}
  %status = call i64 @enter(ptr %ctx)
  %raised = icmp eq i64 %status, {int(Exit.RAISED)}
  br i1 %raised, label %held, label %released
released:
  {_get("thread", Field.THREAD, "ptr")}
  call void @PyEval_RestoreThread(ptr %thread)
  br label %held
held:
  ret i64 %status
}}
"""


def _of_call(name: str, field: int, type_: str = "i64") -> str:
    return (
        f"%{name}.p = getelementptr i8, ptr %record, i64 {int(field)}\n"
        f"%{name} = load {type_}, ptr %{name}.p, align 1\n"
    )


_HANDLE = f"""
  %handle = load ptr, ptr %args, align 8
  %handle.type.p = getelementptr i8, ptr %handle, i64 {_TYPE}
  %handle.type = load ptr, ptr %handle.type.p, align 8
  {_of_call("holder", CallField.HOLDER, "ptr")}
  %is.context = icmp eq ptr %handle.type, %holder
  br i1 %is.context, label %known, label %decline
known:
  %ctx = call ptr @PyByteArray_AsString(ptr %handle)
  %me = call i64 @PyThread_get_thread_ident()
  {_get("changes.p", Field.CHANGES, "ptr")}
  %changes = load i64, ptr %changes.p, align 8
  {_get("seen", Field.SEEN)}
  %is.seen = icmp eq i64 %changes, %seen
"""
"""The context that the first argument holds, and whether the driver knows of all that changed."""

_LEFT = f"""
  %why = add i64 %status, 1
  {_set(Field.LEFT, "%why")}
  %raised = icmp eq i64 %status, {int(Exit.RAISED)}
  br i1 %raised, label %raise, label %decline
raise:
  ret ptr null
decline:
  call void @Py_IncRef(ptr %mark)
  ret ptr %mark
"""
"""Leaving to the driver, and declining."""


def _slice() -> str:
    """See the module's docstring.  Nothing of the guest is changed before `begin`."""
    return f"""
define ptr @py_slice(ptr %self, ptr %args, i64 %given) nounwind {{
entry:
  %amount.p = alloca i64, align 8
  %record = call ptr @PyBytes_AsString(ptr %self)
  {_of_call("mark", CallField.MARK, "ptr")}
  %is.count = icmp eq i64 %given, 2
  br i1 %is.count, label %counted, label %decline
counted:
  {_HANDLE}
  {_get("resumable", Field.RESUMABLE)}
  %is.resumable = icmp eq i64 %resumable, %me
  %ready = and i1 %is.resumable, %is.seen
  br i1 %ready, label %amount, label %decline
amount:
  %object.p = getelementptr ptr, ptr %args, i64 1
  %object = load ptr, ptr %object.p, align 8
  %good = call i1 @unbox(ptr %ctx, i8 {Kind.I64}, ptr %object, ptr %amount.p)
  br i1 %good, label %measure, label %decline
measure:
  %slice = load i64, ptr %amount.p, align 8
  {_get("reserve", Field.RESERVE)}
  {_get("sliced", Field.SLICED)}
  %short = icmp ule i64 %slice, {SLICES_FUEL}
  %after = add i64 %sliced, %slice
  %unseen = icmp ule i64 %after, {SLICES_FUEL}
  %solvent = icmp sge i64 %reserve, %slice
  %a = and i1 %short, %unseen
  %all = and i1 %a, %solvent
  br i1 %all, label %begin, label %decline
begin:
  %floor = sub i64 %reserve, %slice
  {_set(Field.RESERVE, "%floor")}
  {_set(Field.FLOOR, "%floor")}
  {_set(Field.FUEL, "%slice")}
  {_set(Field.CALLED, "0")}
  {_set(Field.RESUMABLE, "0")}
  {_set(Field.BUSY, "%me")}
  %status = call i64 @drive(ptr %ctx)
  %is.paused = icmp eq i64 %status, {int(Exit.FUEL)}
  {_get("watched", Field.WATCHED)}
  %alone = icmp eq i64 %watched, 0
  {_get("fuel.left", Field.FUEL)}
  {_get("reserve.left", Field.RESERVE)}
  %together = add i64 %fuel.left, %reserve.left
  %used.up = icmp slt i64 %together, %floor
  %b = and i1 %is.paused, %alone
  %over = and i1 %b, %used.up
  br i1 %over, label %paused, label %left
left:
  {_LEFT}
paused:
  {_set(Field.RESERVE, "%together")}
  {_set(Field.FUEL, "0")}
  %used = sub i64 %reserve, %together
  %sliced.more = add i64 %sliced, %used
  {_set(Field.SLICED, "%sliced.more")}
  {_set(Field.STANDS, "0")}
  {_set(Field.TOP, "-1")}
  {_set(Field.BUSY, "0")}
  {_set(Field.RESUMABLE, "%me")}
  %result = call ptr @PyLong_FromLongLong(i64 %together)
  ret ptr %result
}}
"""


def _call() -> str:
    """See the module's docstring.  Nothing of the guest is changed before `begin`."""
    of = _of_call
    return f"""
define ptr @py_call(ptr %self, ptr %args, i64 %given) nounwind {{
entry:
  %record = call ptr @PyBytes_AsString(ptr %self)
  {of("mark", CallField.MARK, "ptr")}
  {of("count", CallField.PARAMS)}
  %expected = add i64 %count, 1
  %is.count = icmp eq i64 %given, %expected
  br i1 %is.count, label %counted, label %decline
counted:
  {_HANDLE}
  %values = getelementptr ptr, ptr %args, i64 1
  {_get("ready", Field.READY)}
  %is.ready = icmp eq i64 %ready, %me
  {of("instance", CallField.INSTANCE)}
  {_get("running", Field.INSTANCE)}
  %is.running = icmp eq i64 %instance, %running
  {_get("stack", Field.STACK, "ptr")}
  {_get("end", Field.STACK_END, "ptr")}
  {of("size", CallField.SIZE)}
  %top = getelementptr i8, ptr %stack, i64 %size
  %fits = icmp ule ptr %top, %end
  {_get("reserve", Field.RESERVE)}
  {_get("most", Field.SLICE)}
  %little = icmp slt i64 %reserve, %most
  %slice = select i1 %little, i64 %reserve, i64 %most
  {of("cost", CallField.COST)}
  {of("test", CallField.TEST)}
  %fuel = sub i64 %slice, %cost
  %enough = icmp sge i64 %fuel, 0
  %solvent = icmp sge i64 %reserve, 0
  %untested = icmp eq i64 %test, 0
  %cheap = and i1 %untested, %solvent
  %paid = or i1 %enough, %cheap
  %b = and i1 %is.running, %is.seen
  %c = and i1 %fits, %paid
  %d = and i1 %is.ready, %b
  %all = and i1 %c, %d
  br i1 %all, label %next, label %decline
next:
  %at = phi i64 [0, %known], [%at.next, %taken]
  %more = icmp ult i64 %at, %count
  br i1 %more, label %take, label %begin
take:
  %kind.at = add i64 %at, {int(CallField.KINDS)}
  %kind.p = getelementptr i8, ptr %record, i64 %kind.at
  %kind = load i8, ptr %kind.p, align 1
  %object.p = getelementptr ptr, ptr %values, i64 %at
  %object = load ptr, ptr %object.p, align 8
  %slot = getelementptr i64, ptr %stack, i64 %at
  %good = call i1 @unbox(ptr %ctx, i8 %kind, ptr %object, ptr %slot)
  br i1 %good, label %taken, label %decline
taken:
  %at.next = add i64 %at, 1
  br label %next
begin:
  %header.p = getelementptr i64, ptr %stack, i64 %count
  store i64 {FIRST_HEADER}, ptr %header.p, align 8
  %rest = sub i64 %reserve, %slice
  {_set(Field.RESERVE, "%rest")}
  {_set(Field.FUEL, "%fuel")}
  {of("code", CallField.CODE)}
  {_set(Field.PC, "%code")}
  {_set(Field.FP, "0")}
  {of("number", CallField.NUMBER)}
  {_set(Field.CALLED, "%number")}
  {_set(Field.FLOOR, "0")}
  {_set(Field.READY, "0")}
  {_set(Field.BUSY, "%me")}
  %status = call i64 @drive(ptr %ctx)
  %is.done = icmp eq i64 %status, {int(Exit.DONE)}
  {_get("watched", Field.WATCHED)}
  %alone = icmp eq i64 %watched, 0
  %over = and i1 %is.done, %alone
  br i1 %over, label %done, label %left
left:
  {_LEFT}
done:
  {_get("fuel.left", Field.FUEL)}
  {_get("reserve.left", Field.RESERVE)}
  %together = add i64 %fuel.left, %reserve.left
  {_set(Field.RESERVE, "%together")}
  {_set(Field.SLICE, "%fuel.left")}
  {_set(Field.FUEL, "0")}
  {_set(Field.PC, "0")}
  {_set(Field.TOP, "0")}
  {_set(Field.STANDS, "0")}
  {_set(Field.BUSY, "0")}
  {_set(Field.READY, "%me")}
  {of("result", CallField.RESULT, "i8")}
  %nothing = icmp eq i8 %result, {Kind.NONE}
  br i1 %nothing, label %none, label %value
none:
  {_get("none.object", Field.NONE, "ptr")}
  call void @Py_IncRef(ptr %none.object)
  ret ptr %none.object
value:
  %made = call ptr @box(ptr %ctx, i8 %result, ptr %stack)
  ret ptr %made
}}
"""


def _values() -> str:
    """`box`: an object for a slot.  `unbox`: a slot for an object; false where the long way has to look at it.

    A kind is a number of `Kind`.  Objects of exactly the types int, float and bool are taken, and no exception is left.
    """
    return f"""
define internal ptr @box(ptr %ctx, i8 %kind, ptr %slot) nounwind {{
  switch i8 %kind, label %wide [i8 {Kind.BOOL}, label %truth
                                i8 {Kind.I32}, label %narrow
                                i8 {Kind.F64}, label %double
                                i8 {Kind.F32}, label %float]
truth:
  %b = load i8, ptr %slot, align 8
  {_get("true", Field.TRUE, "ptr")}
  {_get("false", Field.FALSE, "ptr")}
  %b.set = icmp ne i8 %b, 0
  %b.object = select i1 %b.set, ptr %true, ptr %false
  call void @Py_IncRef(ptr %b.object)
  ret ptr %b.object
narrow:
  %n = load i32, ptr %slot, align 8
  %n.wide = sext i32 %n to i64
  %n.object = call ptr @PyLong_FromLongLong(i64 %n.wide)
  ret ptr %n.object
wide:
  %w = load i64, ptr %slot, align 8
  %w.object = call ptr @PyLong_FromLongLong(i64 %w)
  ret ptr %w.object
double:
  %d = load double, ptr %slot, align 8
  %d.object = call ptr @PyFloat_FromDouble(double %d)
  ret ptr %d.object
float:
  %f = load float, ptr %slot, align 8
  %f.wide = fpext float %f to double
  %f.object = call ptr @PyFloat_FromDouble(double %f.wide)
  ret ptr %f.object
}}
define internal i1 @unbox(ptr %ctx, i8 %kind, ptr %object, ptr %slot) nounwind {{
  %over = alloca i32, align 8
  %type.p = getelementptr i8, ptr %object, i64 {_TYPE}
  %type = load ptr, ptr %type.p, align 8
  %boolean = icmp eq i8 %kind, {Kind.BOOL}
  br i1 %boolean, label %truth, label %number.kind
truth:
  {_get("true", Field.TRUE, "ptr")}
  {_get("false", Field.FALSE, "ptr")}
  %yes = icmp eq ptr %object, %true
  %not = icmp eq ptr %object, %false
  %either = or i1 %yes, %not
  br i1 %either, label %told, label %no
told:
  %bit = zext i1 %yes to i64
  store i64 %bit, ptr %slot, align 8
  ret i1 true
number.kind:
  {_get("int", Field.INT, "ptr")}
  %whole = icmp eq ptr %type, %int
  %floats = icmp uge i8 %kind, {Kind.F32}
  br i1 %floats, label %real, label %integer
integer:
  br i1 %whole, label %number, label %no
number:
  %n = call i64 @PyLong_AsLongLongAndOverflow(ptr %object, ptr %over)
  %overflow = load i32, ptr %over, align 8
  %fits = icmp eq i32 %overflow, 0
  br i1 %fits, label %fitting, label %no
fitting:
  %narrow = icmp eq i8 %kind, {Kind.I32}
  br i1 %narrow, label %small, label %large
large:
  store i64 %n, ptr %slot, align 8
  ret i1 true
small:
  %up = add i64 %n, {1 << 31}
  %within = icmp ult i64 %up, {(1 << 31) + (1 << 32)}
  br i1 %within, label %cut, label %no
cut:
  %low = and i64 %n, {(1 << 32) - 1}
  store i64 %low, ptr %slot, align 8
  ret i1 true
real:
  {_get("float", Field.FLOAT, "ptr")}
  %exact = icmp eq ptr %type, %float
  %numeric = or i1 %exact, %whole
  br i1 %numeric, label %convert, label %no
convert:
  %d = call double @PyFloat_AsDouble(ptr %object)
  br i1 %exact, label %converted, label %check
check:
  %error = call ptr @PyErr_Occurred()
  %bad = icmp ne ptr %error, null
  br i1 %bad, label %clear, label %converted
clear:
  call void @PyErr_Clear()
  ret i1 false
converted:
  %single = icmp eq i8 %kind, {Kind.F32}
  br i1 %single, label %round, label %double
double:
  store double %d, ptr %slot, align 8
  ret i1 true
round:
  %f = fptrunc double %d to float
  %f.wide = fpext float %f to double
  %f.size = call double @llvm.fabs.f64(double %f.wide)
  %d.size = call double @llvm.fabs.f64(double %d)
  %f.infinite = fcmp oeq double %f.size, 0x7FF0000000000000
  %d.finite = fcmp one double %d.size, 0x7FF0000000000000
  %lost = and i1 %f.infinite, %d.finite
  br i1 %lost, label %no, label %kept
kept:
  %bits = bitcast float %f to i32
  %bits.wide = zext i32 %bits to i64
  store i64 %bits.wide, ptr %slot, align 8
  ret i1 true
no:
  ret i1 false
}}
"""


def _host() -> str:
    """See the module's docstring.  `argument` is where an argument's object lies, `release` gives them up."""
    stand = "call void @stand(ptr %ctx, i64 %back, i64 %caller, i64 1, i64 %top)"
    return f"""
define i64 @host(ptr %ctx, i64 %fuel, ptr %fp, ptr %record) nounwind {{
entry:
  %room = alloca [{RECORD_PARAMS + 2} x ptr], align 8
  %answer = alloca [2 x ptr], align 8
  {_of_record("params", RecordField.PARAMS, "i32")}
  %count = zext i32 %params to i64
  %header.p = getelementptr i64, ptr %fp, i64 %count
  %header = load i64, ptr %header.p, align 8
  %back = and i64 %header, {(1 << 32) - 1}
  %high = lshr i64 %header, 32
  %delta = and i64 %high, {COMPILED - 1}
  %compiled = lshr i64 %high, {COMPILED.bit_length() - 1}
  %waits = add i64 %compiled, 1
  {_get("stack", Field.STACK)}
  %fp.address = ptrtoint ptr %fp to i64
  %fp.offset = sub i64 %fp.address, %stack
  %caller = sub i64 %fp.offset, %delta
  %fp.slot = udiv i64 %fp.offset, {SLOT_BYTES}
  %top = add i64 %fp.slot, %count
  call void @stand(ptr %ctx, i64 %back, i64 %caller, i64 %waits, i64 %top)
  {_set(Field.FUEL, "%fuel")}
  {_of_record("number", RecordField.NUMBER, "i64")}
  {_set(Field.AUX, "%number")}
  {_get("interrupted", Field.INTERRUPTED)}
  %noted = icmp ne i64 %interrupted, 0
  %here = call ptr @llvm.addressofreturnaddress.p0()
  {_get("limit", Field.NATIVE_LIMIT, "ptr")}
  %low = icmp ult ptr %here, %limit
  {_of_record("instance", RecordField.INSTANCE, "i64")}
  {_get("running", Field.INSTANCE)}
  %any = icmp slt i64 %instance, 0
  %same = icmp eq i64 %instance, %running
  %known = or i1 %any, %same
  %other = xor i1 %known, true
  %special = or i1 %noted, %low
  %ask = or i1 %special, %other
  br i1 %ask, label %driver, label %begin
driver:
  {stand}
  ret i64 {status_of(Exit.HOST)}
begin:
  {_get("thread", Field.THREAD, "ptr")}
  call void @PyEval_RestoreThread(ptr %thread)
  %fuel.less = sub i64 %fuel, {GuestStack.host_slice}
  {_set(Field.FUEL, "%fuel.less")}
  {_get("reserve", Field.RESERVE)}
  %reserve.more = add i64 %reserve, {GuestStack.host_slice}
  {_set(Field.RESERVE, "%reserve.more")}
  {_get("counted", Field.COMPILED_FUEL)}
  %not.used = mul i64 %compiled, {GuestStack.host_slice}
  %counted.less = sub i64 %counted, %not.used
  {_set(Field.COMPILED_FUEL, "%counted.less")}
  {_of_record("owner", RecordField.CALLER, "ptr")}
  %first = getelementptr ptr, ptr %room, i64 1
  store ptr %owner, ptr %first, align 8
  %asks = icmp ne ptr %owner, null
  %lead = zext i1 %asks to i64
  %values = getelementptr ptr, ptr %first, i64 %lead
  %total = add i64 %count, %lead
  br label %next
next:
  %at = phi i64 [0, %begin], [%at.next, %made]
  %more = icmp ult i64 %at, %count
  br i1 %more, label %make, label %call
make:
  %kind.at = add i64 %at, {int(RecordField.KINDS)}
  %kind.p = getelementptr i8, ptr %record, i64 %kind.at
  %kind = load i8, ptr %kind.p, align 1
  %slot = getelementptr i64, ptr %fp, i64 %at
  %object = call ptr @box(ptr %ctx, i8 %kind, ptr %slot)
  %object.p = getelementptr ptr, ptr %values, i64 %at
  store ptr %object, ptr %object.p, align 8
  %failed = icmp eq ptr %object, null
  br i1 %failed, label %short, label %made
made:
  %at.next = add i64 %at, 1
  br label %next
short:
  call void @release(ptr %values, i64 %at)
  {stand}
  ret i64 {status_of(Exit.RAISED)}
call:
  {_get("depth", Field.IN_HOST)}
  %deeper = add i64 %depth, 1
  {_set(Field.IN_HOST, "%deeper")}
  {_of_record("function", RecordField.FUNCTION, "ptr")}
  %flagged = or i64 %total, {_ARGUMENTS_OFFSET}
  %given = call ptr @PyObject_Vectorcall(ptr %function, ptr %first, i64 %flagged, ptr null)
  {_set(Field.IN_HOST, "%depth")}
  call void @release(ptr %values, i64 %count)
  {stand}
  %raised = icmp eq ptr %given, null
  br i1 %raised, label %raise, label %returned
raise:
  ret i64 {status_of(Exit.RAISED)}
returned:
  {_of_record("result", RecordField.RESULT, "i8")}
  switch i8 %result, label %scalar [i8 {Kind.OTHER}, label %odd
                                    i8 {Kind.NONE}, label %nothing]
nothing:
  {_get("none", Field.NONE, "ptr")}
  %is.none = icmp eq ptr %given, %none
  br i1 %is.none, label %taken, label %odd
scalar:
  %fits = call i1 @unbox(ptr %ctx, i8 %result, ptr %given, ptr %fp)
  br i1 %fits, label %taken, label %odd
odd:
  {_of_record("encode", RecordField.ENCODE, "ptr")}
  %answer.p = getelementptr ptr, ptr %answer, i64 1
  store ptr %given, ptr %answer.p, align 8
  %slots = call ptr @PyObject_Vectorcall(ptr %encode, ptr %answer.p, i64 {_ARGUMENTS_OFFSET + 1}, ptr null)
  call void @Py_DecRef(ptr %given)
  {stand}
  %refused = icmp eq ptr %slots, null
  br i1 %refused, label %raise, label %encoded
encoded:
  %bytes = call ptr @PyBytes_AsString(ptr %slots)
  %size = call i64 @PyBytes_Size(ptr %slots)
  %copied = call ptr @memmove(ptr %fp, ptr %bytes, i64 %size)
  br label %taken
taken:
  %last = phi ptr [%given, %nothing], [%given, %scalar], [%slots, %encoded]
  call void @Py_DecRef(ptr %last)
  %again = call ptr @PyEval_SaveThread()
  {_set(Field.THREAD, "%again", "ptr")}
  {_get("changes.p", Field.CHANGES, "ptr")}
  %changes = load i64, ptr %changes.p, align 8
  {_get("seen", Field.SEEN)}
  %changed = icmp ne i64 %changes, %seen
  br i1 %changed, label %tell, label %on
tell:
  ret i64 {status_of(Exit.CHANGED)}
on:
  {_get("left", Field.FUEL)}
  ret i64 %left
}}
define internal void @stand(ptr %ctx, i64 %back, i64 %caller, i64 %stands, i64 %top) nounwind {{
  {_set(Field.PC, "%back")}
  {_set(Field.FP, "%caller")}
  {_set(Field.STANDS, "%stands")}
  {_set(Field.TOP, "%top")}
  ret void
}}
define internal void @release(ptr %objects, i64 %count) nounwind {{
entry:
  br label %next
next:
  %at = phi i64 [0, %entry], [%at.next, %one]
  %more = icmp ult i64 %at, %count
  br i1 %more, label %one, label %done
one:
  %object.p = getelementptr ptr, ptr %objects, i64 %at
  %object = load ptr, ptr %object.p, align 8
  call void @Py_DecRef(ptr %object)
  %at.next = add i64 %at, 1
  br label %next
done:
  ret void
}}
"""


def python_ir() -> str:
    """IR of the functions, for a module that has `enter` and `memmove`."""
    return _API + _run() + _call() + _slice() + _values() + _host()

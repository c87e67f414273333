#!/usr/bin/env bash
# convert: .npz and .safetensors files as Python makes and reads them: with its standard library alone, and with
# NumPy's and safetensors' own code where python3 (or $TANDEM_PYTHON) has them.
. "$(dirname "$0")/lib_cli.sh"
PYTHON=${TANDEM_PYTHON:-python3}
"$PYTHON" -c 'import json, zipfile, zlib' 2>/dev/null || { echo "python3 with zipfile is not installed"; exit 77; }

# files.py write: plain.npz (deflated) and plain.safetensors.  files.py check A...: each holds exactly the same.
cat >files.py <<'PYTHON'
import io, json, struct, sys, zipfile

def npy(descr, shape, data):
    head = ("{'descr': '%s', 'fortran_order': False, 'shape': %r, }" % (descr, shape)).encode()
    head += b' ' * (-(10 + len(head) + 1) % 64) + b'\n'
    return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head + data

TENSORS = {'fc.weight': ('<f4', 'F32', (2, 3), struct.pack('<6f', 1, -0.0, 3.5, float('inf'), 5e-42, 6)),
           'step': ('<i8', 'I64', (), struct.pack('<q', -7)),
           'mask': ('|b1', 'BOOL', (3,), b'\x01\x00\x01')}
NOTES = {'epoch': '3', 'note': 'caf\u00e9 "x"'}

def write_npz(path):
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as z:
        for name, (descr, _, shape, data) in TENSORS.items():
            with z.open(name + '.npy', 'w', force_zip64=True) as f:
                f.write(npy(descr, shape, data))
        z.writestr('__metadata__.json', json.dumps(NOTES))

def write_safetensors(path):
    head, body = {'__metadata__': NOTES}, b''
    for name, (_, dtype, shape, data) in TENSORS.items():
        head[name] = {'dtype': dtype, 'shape': shape, 'data_offsets': [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(head).encode()
    open(path, 'wb').write(struct.pack('<Q', len(text)) + text + body)

def check(path):
    if path.endswith('.npz'):
        z = zipfile.ZipFile(path)
        assert z.testzip() is None
        assert json.loads(z.read('__metadata__.json')) == NOTES
        assert sorted(z.namelist()) == sorted([n + '.npy' for n in TENSORS] + ['__metadata__.json'])
        for name, (descr, _, shape, data) in TENSORS.items():
            b = z.read(name + '.npy')
            n, = struct.unpack('<H', b[8:10])
            head = eval(b[10:10 + n])
            assert (head['descr'], head['shape'], b[10 + n:]) == (descr, shape, data), name
    else:
        b = open(path, 'rb').read()
        n, = struct.unpack('<Q', b[:8])
        head = json.loads(b[8:8 + n])
        assert head.pop('__metadata__') == NOTES and head.keys() == TENSORS.keys()
        for name, (_, dtype, shape, data) in TENSORS.items():
            begin, end = head[name]['data_offsets']
            assert (head[name]['dtype'], tuple(head[name]['shape'])) == (dtype, shape), name
            assert b[8 + n + begin:8 + n + end] == data, name

def other(what):
    try:
        return __import__(what, fromlist=['numpy'])
    except ImportError:
        return None

if sys.argv[1] == 'write':
    write_npz('plain.npz')
    write_safetensors('plain.safetensors')
    np, st = other('numpy'), other('safetensors.numpy')
    if np:
        arrays = {k: np.frombuffer(d, np.dtype(t)).reshape(s) for k, (t, _, s, d) in TENSORS.items()}
        np.savez('numpy.npz', **arrays)
        np.savez_compressed('packed.npz', **arrays)
    if np and st:
        st.save_file(arrays, 'own.safetensors', metadata=NOTES)
elif sys.argv[1] == 'check':
    for path in sys.argv[2:]:
        check(path)
        np, st = other('numpy'), other('safetensors.numpy')
        a = np and np.load(path) if path.endswith('.npz') else np and st and st.load_file(path)
        for name, (descr, _, shape, data) in TENSORS.items() if a else ():
            assert a[name].dtype == np.dtype(descr) and a[name].shape == shape and a[name].tobytes() == data
        print(path, 'by NumPy' if a else 'by the standard library')
PYTHON
"$PYTHON" files.py write
for from in plain.npz plain.safetensors own.safetensors; do
    [ -e $from ] || continue
    expect 0 convert $from out.npz
    has out '^out.npz: 3 tensors, 35 bytes$'
    expect 0 convert $from out.safetensors
    "$PYTHON" files.py check out.npz out.safetensors
    expect 0 convert out.npz again.safetensors # and round
    cmp out.safetensors again.safetensors
done
for from in numpy.npz packed.npz; do # these have no texts
    [ -e $from ] || continue
    expect 0 convert $from out.safetensors
    expect 0 convert out.safetensors out.npz
    "$PYTHON" -c "import numpy as np; a, b = np.load('$from'), np.load('out.npz'); assert list(a) == list(b)
assert all(a[k].dtype == b[k].dtype and a[k].tobytes() == b[k].tobytes() for k in a)"
done

# Weights of 16 bits: f32 of two axes and more, rounded (1.00390625 is between two of bf16; 1e-40 is its first
# subnormal, 0 in f16).
"$PYTHON" - plain.safetensors <<'PYTHON'
import json, struct, sys
tensors = {'w': ('F32', [2, 3], struct.pack('<6f', 1, -0.0, 3.5, 1.00390625, 1e-40, 6)),
           'b': ('F32', [3], struct.pack('<3f', 0.1, 0.2, 0.3)), 'n': ('I64', [1, 1], struct.pack('<q', -7))}
head, body = {}, b''
for name, (dtype, shape, data) in tensors.items():
    head[name] = {'dtype': dtype, 'shape': shape, 'data_offsets': [len(body), len(body) + len(data)]}
    body += data
text = json.dumps(head).encode()
open('three.safetensors', 'wb').write(struct.pack('<Q', len(text)) + text + body)
PYTHON
weights() { # FILE DTYPE HEX: w is of this dtype and these bytes; the rest is as it was
    "$PYTHON" - "$@" <<'PYTHON'
import json, struct, sys
read = lambda b: (json.loads(b[8:8 + struct.unpack('<Q', b[:8])[0]]), b[8 + struct.unpack('<Q', b[:8])[0]:])
(was, old), (head, body) = read(open('three.safetensors', 'rb').read()), read(open(sys.argv[1], 'rb').read())
data = lambda h, b, name: b[slice(*h[name]['data_offsets'])]
assert head['w']['dtype'] == sys.argv[2] and head['w']['shape'] == [2, 3]
assert data(head, body, 'w').hex() == sys.argv[3], data(head, body, 'w').hex()
for name in 'bn':
    assert head[name]['dtype'] == was[name]['dtype'] and data(head, body, name) == data(was, old, name)
PYTHON
}
expect 0 convert --weights bf16 three.safetensors b.safetensors
has out '^b.safetensors: 3 tensors, 32 bytes$'
weights b.safetensors BF16 803f00806040803f0100c040
expect 0 convert b.safetensors b.npz # and round
expect 0 convert b.npz round.safetensors
weights round.safetensors BF16 803f00806040803f0100c040
expect 0 convert --weights f16 three.safetensors h.safetensors
weights h.safetensors F16 003c00800043043c00000046
refused "--weights f8: expected bf16 or f16" convert --weights f8 plain.npz out.npz

head -c 100 plain.npz >cut.npz
refused "cut.npz: not a zip file" convert cut.npz out.safetensors
refused "out.txt: expected a .safetensors or .npz file" convert plain.npz out.txt
refused "can't create" convert plain.npz none/out.npz

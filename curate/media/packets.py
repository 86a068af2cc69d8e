"""What a packet's headers say about who depends on it, without decoding it.

One inspector a codec. It is shown every packet of a stream in decoding order and answers with flags. It promises only
what the codec's specification guarantees; a stream that leaves doubt raises `Unplannable`, and is decoded whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import Any, Protocol

from curate.media.bits import BitReader, Bytes, payload, split_annex_b, split_prefixed


class Unplannable(Exception):
    """The stream does not tell what is safe to skip; says why."""


class Flag(IntFlag):
    """Facts about a packet.

    Attributes:
        CLOSED: Decoding may start here, and no packet from here on depends on one before.
        OPEN: Decoding may start here; only packets shown before this one (leading pictures) may depend on earlier ones.
        DROPPABLE: No other packet depends on it.
        HIDDEN: It puts no frame on screen.
        KEY: The decoder will call its frame a key frame.
    """

    CLOSED = 1
    OPEN = 2
    DROPPABLE = 4
    HIDDEN = 8
    KEY = 16


class Inspector(Protocol):
    """Reads the packets of one stream.

    Attributes:
        reorders: Whether packets may be stored in another order than they are shown.
        ordered: Set to have ``order`` told; it costs time.
        order: Where the picture of the packet last inspected belongs, among those since the last closed access point,
            by the decoder's own count; ``None`` if the stream does not tell, or was not asked.
    """

    reorders: bool
    ordered: bool
    order: int | None

    def inspect(self, data: Bytes) -> int:
        """Answer with `Flag` bits for the next packet in decoding order.

        Raises:
            Unplannable: The stream leaves doubt.
            EOFError: A header ends early.
        """


def inspector_for(codec: Any, extradata: bytes | None) -> Inspector:
    """Make the inspector of a stream.

    Args:
        codec: The ``av.Codec`` of its decoder.
        extradata: The stream's codec configuration: avcC, hvcC, or start codes.

    Raises:
        Unplannable: There is none for this codec or this configuration.
    """
    name = codec.canonical_name
    try:
        if name == "h264":
            return H264(extradata or b"")
        if name == "hevc":
            return Hevc(extradata or b"")
        if name == "vp9":
            return Vp9()
        if name == "av1":
            return Av1()
    except (EOFError, IndexError) as error:
        raise Unplannable(f"the codec configuration is malformed: {error}") from error
    if codec.intra_only:
        return IntraOnly()
    raise Unplannable(f"dependencies of {name} are not known")


class _InOrder:
    """Codecs whose packets are stored in the order they are shown."""

    reorders = False
    ordered = False
    order: int | None = None


class IntraOnly(_InOrder):
    """Codecs in which every frame stands alone: Motion JPEG, ProRes, DNxHD, ..."""

    def inspect(self, data: Bytes) -> int:
        """Every packet can be decoded alone."""
        return Flag.CLOSED | Flag.DROPPABLE | Flag.KEY


class _OrderCount:
    """Picture order count: the order in which a decoder of H.264 or H.265 puts out pictures (8.2.1.1 and 8.3.1).

    Stored are its lowest bits; the others follow from the reference picture before.
    """

    def __init__(self) -> None:
        self._low = self._high = 0

    def of(self, low: int, bits: int, *, anew: bool, leads: bool) -> int:
        """The count of the next picture in decoding order.

        Args:
            low: Its lowest bits as stored.
            bits: How many.
            anew: Whether counting starts with it.
            leads: Whether the pictures after it are counted from it.
        """
        size, high = 1 << bits, self._high
        if anew:
            high = 0
        elif low < self._low and self._low - low >= size // 2:
            high += size
        elif low > self._low and low - self._low > size // 2:
            high -= size
        if leads:
            self._low, self._high = low, high
        return high + low


class _ParameterSets:
    """Parameter sets seen so far.

    Packets may only be skipped while parameter sets never change: a skipped packet might have carried the new one.
    Those of the codec configuration and of the first packet are known to the decoder from the start.
    """

    def __init__(self) -> None:
        self._known: set[bytes] = set()
        self.fixed = False

    def see(self, unit: Bytes) -> None:
        content = bytes(unit)
        if content in self._known:
            return
        if self.fixed:
            raise Unplannable("parameter sets change within the stream")
        self._known.add(content)


class H264:
    """ITU-T H.264 / ISO/IEC 14496-10.

    - A picture whose slices all have nal_ref_idc 0 is used by no other (7.4.1).
    - An IDR picture and what follows depend on nothing before (7.4.1.2.4).
    - A recovery point with recovery_frame_cnt 0 and exact_match_flag 1 promises that, starting there, all pictures at
      or after it in output order come out exactly (D.2.8).
    - Picture order counts tell the order of output within a coded video sequence (C.4.5.3).
    """

    reorders = True
    ordered = False

    def __init__(self, extradata: bytes) -> None:
        self.order: int | None = None
        self._count = _OrderCount()
        self._sequences: dict[int, _H264Sequence] = {}
        self._sequence_of: dict[int, int] = {}
        self._decoded = 0
        self._sets = _ParameterSets()
        self._length_size = 0
        if extradata[:1] == b"\1":
            self._length_size = (extradata[4] & 3) + 1
            at = 6
            for _ in range(extradata[5] & 31):
                at = self._read_set(extradata, at)
            count, at = extradata[at], at + 1
            for _ in range(count):
                at = self._read_set(extradata, at)
        else:
            for unit in split_annex_b(extradata):
                self._see_set(unit)

    def _read_set(self, extradata: bytes, at: int) -> int:
        size = int.from_bytes(extradata[at : at + 2], "big")
        self._see_set(extradata[at + 2 : at + 2 + size])
        return at + 2 + size

    def _see_set(self, unit: Bytes) -> None:
        if unit[0] & 31 == 7:
            sequence = _H264Sequence.read(unit)
            if not sequence.progressive:
                raise Unplannable("interlaced: fields may lie in packets of their own")
            self._sequences[sequence.id] = sequence
        elif unit[0] & 31 == 8:
            reader = BitReader(payload(unit[:16])[1:])
            number = reader.golomb()
            self._sequence_of[number] = reader.golomb()
        self._sets.see(unit)

    def _order(self, unit: Bytes) -> int | None:
        """Picture order count out of a slice header (7.3.3); ``None`` for the kind that counts by a cycle."""
        reader = BitReader(payload(unit[:32])[1:])
        reader.golomb()
        reader.golomb()
        sequence = self._sequences.get(self._sequence_of.get(reader.golomb(), -1))
        if sequence is None or sequence.order_kind == 1:
            return None
        idr = unit[0] & 31 == 5
        if sequence.order_kind == 2:
            self._decoded = 0 if idr else self._decoded + 1
            return self._decoded
        reader.skip(sequence.number_bits + (2 if sequence.planes else 0))
        if idr:
            reader.golomb()
        low = reader.bits(sequence.order_bits)
        return self._count.of(low, sequence.order_bits, anew=idr, leads=bool(unit[0] & 0x60))

    def inspect(self, data: Bytes) -> int:
        """Read all NAL units of an access unit."""
        units = split_prefixed(data, self._length_size) if self._length_size else split_annex_b(data)
        self.order = None
        pictures, slices, referenced, idr, carries_sets = 0, 0, False, 0, False
        flags = 0
        for unit in units:
            header = unit[0]
            kind = header & 31
            if kind in (1, 5):
                if self.ordered and not slices:
                    self.order = self._order(unit)
                slices += 1
                # first_mb_in_slice is ue(v): a leading 1 bit means 0, the start of a picture.
                pictures += unit[1] >> 7 if len(unit) > 1 else 0
                referenced |= bool(header & 0x60)
                idr += kind == 5
            elif kind == 6:
                flags |= _recovery_point(unit)
            elif kind in (7, 8, 13, 15):
                carries_sets = True
                self._see_set(unit)
            elif kind in (2, 3, 4):
                raise Unplannable("slices are partitioned")
        self._sets.fixed = True
        if not slices:
            return Flag.HIDDEN
        if pictures > 1:
            raise Unplannable("several pictures in one packet")
        if idr:
            if idr != slices:
                raise Unplannable("a picture mixes IDR and other slices")
            return Flag.CLOSED | Flag.KEY
        if not referenced and not carries_sets and not flags:
            return Flag.DROPPABLE
        return flags


@dataclass(frozen=True)
class _H264Sequence:
    """What is needed of a sequence parameter set (ITU-T H.264, 7.3.2.1.1).

    Attributes:
        id: Its number.
        planes: Whether colour planes are coded apart.
        number_bits: Bits of ``frame_num``.
        order_kind: ``pic_order_cnt_type``.
        order_bits: Bits of ``pic_order_cnt_lsb``, for kind 0.
        progressive: Whether all pictures are frames.
    """

    id: int
    planes: bool
    number_bits: int
    order_kind: int
    order_bits: int
    progressive: bool

    @classmethod
    def read(cls, unit: Bytes) -> _H264Sequence:
        """Read a NAL unit."""
        reader = BitReader(payload(unit)[1:])
        profile = reader.bits(8)
        reader.skip(16)
        number = reader.golomb()
        planes = False
        if profile in (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135):
            chroma_format = reader.golomb()
            if chroma_format == 3:
                planes = bool(reader.bits(1))
            reader.golomb()
            reader.golomb()
            reader.skip(1)
            if reader.bits(1):
                for index in range(12 if chroma_format == 3 else 8):
                    if reader.bits(1):
                        _skip_scaling_list(reader, 16 if index < 6 else 64)
        number_bits = reader.golomb() + 4
        order_kind, order_bits = reader.golomb(), 0
        if order_kind == 0:
            order_bits = reader.golomb() + 4
        elif order_kind == 1:
            reader.skip(1)
            reader.golomb()
            reader.golomb()
            for _ in range(min(reader.golomb(), 255)):
                reader.golomb()
        reader.golomb()
        reader.skip(1)
        reader.golomb()
        reader.golomb()
        return cls(number, planes, number_bits, order_kind, order_bits, bool(reader.bits(1)))


def _skip_scaling_list(reader: BitReader, size: int) -> None:
    last, following = 8, 8
    for _ in range(size):
        if following:
            following = (last + reader.signed_golomb()) % 256
        last = following or last


def _recovery_point(unit: Bytes) -> int:
    """Flags of an H.264 SEI unit: KEY for a recovery point without a wait, OPEN if exact (7.3.2.3.1, D.1.8)."""
    data = payload(unit)
    at = 1
    while at + 2 <= len(data):
        kind = size = 0
        while data[at] == 255:
            kind, at = kind + 255, at + 1
        kind, at = kind + data[at], at + 1
        while data[at] == 255:
            size, at = size + 255, at + 1
        size, at = size + data[at], at + 1
        if kind == 6:
            reader = BitReader(data[at : at + size])
            waits, exact = reader.golomb(), reader.bits(1)
            if waits:
                return 0
            return Flag.KEY | (Flag.OPEN if exact else 0)
        at += size
    return 0


class Hevc:
    """ITU-T H.265 / ISO/IEC 23008-2.

    - A sub-layer non-reference picture is used by no other of its sub-layer (7.4.2.2); on the highest sub-layer, by
      none at all.
    - IDR and BLA pictures depend on nothing before, nor does what follows, save RASL pictures, which are not output
      after a BLA picture or a CRA picture that starts the stream (8.1.3).
    - After a CRA picture only its RASL pictures depend on what came before.
    - A picture with pic_output_flag 0 is not shown (C.5.2.3), nor are those that wait to be shown when a picture comes
      that has no_output_of_prior_pics_flag 1 (C.5.2.2): which ones depends on the decoder.
    """

    reorders = True
    ordered = False

    def __init__(self, extradata: bytes) -> None:
        self.order: int | None = None
        self._count = _OrderCount()
        self._sequences: dict[int, _HevcSequence] = {}
        self._pictures: dict[int, _HevcPicture] = {}
        self._hides = False
        self._sets = _ParameterSets()
        self._length_size = 0
        self._highest_sublayer = 0
        self._started = False
        self._loses_leading = False
        self._ended = False
        if extradata and extradata[:3] not in (b"\0\0\0", b"\0\0\1"):
            self._length_size = (extradata[21] & 3) + 1
            at = 23
            for _ in range(extradata[22]):
                count = int.from_bytes(extradata[at + 1 : at + 3], "big")
                at += 3
                for _ in range(count):
                    size = int.from_bytes(extradata[at : at + 2], "big")
                    self._see_set(extradata[at + 2 : at + 2 + size])
                    at += 2 + size
        else:
            for unit in split_annex_b(extradata):
                self._see_set(unit)

    def _see_set(self, unit: Bytes) -> None:
        if (unit[0] >> 1) & 63 == 33 and not _layer(unit):
            # sps_video_parameter_set_id u(4), sps_max_sub_layers_minus1 u(3)
            self._highest_sublayer = max(self._highest_sublayer, (unit[2] >> 1) & 7)
            sequence = _HevcSequence.read(unit)
            self._sequences[sequence.id] = sequence
        elif (unit[0] >> 1) & 63 == 34 and not _layer(unit):
            picture = _HevcPicture.read(unit)
            self._pictures[picture.id] = picture
            self._hides |= picture.tells_output
        self._sets.see(unit)

    def _read_slice(self, unit: Bytes, kind: int) -> bool:
        """Read order and visibility out of the header of a picture's first slice (7.3.6.1).

        Returns:
            Whether the picture is shown.
        """
        reader = BitReader(payload(unit[:32])[2:])
        reader.skip(1)
        irap = 16 <= kind < 24
        reader.skip(irap)
        picture = self._pictures.get(reader.golomb())
        sequence = self._sequences.get(picture.sequence) if picture else None
        if picture is None or sequence is None:
            raise Unplannable("a picture refers to parameter sets that are not there")
        reader.skip(picture.extra_bits)
        reader.golomb()
        shown = bool(reader.bits(1)) if picture.tells_output else True
        if sequence.planes:
            reader.skip(2)
        low = 0 if kind in (19, 20) else reader.bits(sequence.order_bits)
        anew = irap and (kind != 21 or not self._started)
        leads = unit[1] & 7 == 1 and not 6 <= kind <= 9 and not (kind < 16 and not kind % 2)
        self.order = self._count.of(low, sequence.order_bits, anew=anew, leads=leads)
        return shown

    def inspect(self, data: Bytes) -> int:
        """Read all NAL units of an access unit."""
        if self._ended:
            raise Unplannable("a sequence ends within the stream")
        units = split_prefixed(data, self._length_size) if self._length_size else split_annex_b(data)
        self.order = None
        kinds: set[int] = set()
        pictures, droppable, shown, unshown = 0, True, True, False
        for unit in units:
            kind = (unit[0] >> 1) & 63
            if kind < 32:
                if _layer(unit):
                    continue
                if not kinds:
                    # no_output_of_prior_pics_flag, the second bit of a slice header
                    unshown = kind >= 16 and len(unit) > 2 and bool(unit[2] & 0x40)
                    if self.ordered or self._hides:
                        shown = self._read_slice(unit, kind)
                kinds.add(kind)
                pictures += unit[2] >> 7 if len(unit) > 2 else 0
                droppable &= kind < 16 and not kind % 2 and (unit[1] & 7) - 1 == self._highest_sublayer
            elif kind in (32, 33, 34):
                droppable = False
                self._see_set(unit)
            elif kind in (36, 37):
                self._ended = True
        self._sets.fixed = True
        if not kinds:
            return Flag.HIDDEN
        if len(kinds) > 1 or pictures > 1:
            raise Unplannable("several pictures in one packet")
        (kind,) = kinds
        if 10 <= kind < 16 or kind > 21:
            raise Unplannable(f"NAL unit type {kind} is reserved")
        hidden = 0 if shown else Flag.HIDDEN
        if kind >= 16:
            first, self._started = not self._started, True
            if kind != 21 and unshown and not first:
                raise Unplannable("pictures before a key frame are never shown")
            if kind == 21:
                self._loses_leading = first
                return (Flag.CLOSED if first else Flag.OPEN) | Flag.KEY | hidden
            self._loses_leading = kind < 19
            return Flag.CLOSED | Flag.KEY | hidden
        flags = (Flag.DROPPABLE if droppable else 0) | hidden
        if kind in (8, 9) and self._loses_leading:
            return flags | Flag.HIDDEN
        return flags


@dataclass(frozen=True)
class _HevcSequence:
    """What is needed of a sequence parameter set (ITU-T H.265, 7.3.2.2.1).

    Attributes:
        id: Its number.
        planes: Whether colour planes are coded apart.
        order_bits: Bits of ``slice_pic_order_cnt_lsb``.
    """

    id: int
    planes: bool
    order_bits: int

    @classmethod
    def read(cls, unit: Bytes) -> _HevcSequence:
        """Read a NAL unit."""
        reader = BitReader(payload(unit[:256])[2:])
        reader.skip(4)
        sublayers = reader.bits(3)
        # profile_tier_level (7.3.3): 88 bits of profile and 8 of level, and the same for those sub-layers that have it
        reader.skip(1 + 88 + 8)
        present = [(reader.bits(1), reader.bits(1)) for _ in range(sublayers)]
        if sublayers:
            reader.skip(2 * (8 - sublayers))
        for profile, level in present:
            reader.skip(88 * profile + 8 * level)
        number = reader.golomb()
        planes = reader.golomb() == 3 and bool(reader.bits(1))
        reader.golomb()
        reader.golomb()
        if reader.bits(1):
            for _ in range(4):
                reader.golomb()
        reader.golomb()
        reader.golomb()
        return cls(number, planes, reader.golomb() + 4)


@dataclass(frozen=True)
class _HevcPicture:
    """What is needed of a picture parameter set (ITU-T H.265, 7.3.2.3.1).

    Attributes:
        id: Its number.
        sequence: Number of the sequence parameter set that it belongs to.
        tells_output: Whether slice headers hold ``pic_output_flag``.
        extra_bits: Reserved bits of slice headers.
    """

    id: int
    sequence: int
    tells_output: bool
    extra_bits: int

    @classmethod
    def read(cls, unit: Bytes) -> _HevcPicture:
        """Read a NAL unit."""
        reader = BitReader(payload(unit[:32])[2:])
        number, sequence = reader.golomb(), reader.golomb()
        reader.skip(1)
        return cls(number, sequence, bool(reader.bits(1)), reader.bits(3))


def _layer(unit: Bytes) -> int:
    """nuh_layer_id of an H.265 NAL unit."""
    return (unit[0] & 1) << 5 | unit[1] >> 3


class Vp9(_InOrder):
    """VP9 bitstream specification, version 0.6.

    A key frame resets everything (6.1.2, 7.2). Any other frame may hand its probabilities, motion vectors and
    segmentation on to the next one shown, even when it refreshes no reference, so nothing in between is droppable.
    """

    def inspect(self, data: Bytes) -> int:
        """Read the uncompressed headers of all frames in a packet (annex B, superframes)."""
        flags, shown = 0, 0
        for index, (at, size) in enumerate(_vp9_frames(data)):
            reader = BitReader(data[at : at + min(size, 2)])
            if reader.bits(2) != 2:
                raise Unplannable("not a VP9 frame")
            profile = reader.bits(1) | reader.bits(1) << 1
            if profile == 3:
                reader.skip(1)
            if reader.bits(1):
                shown += 1
                continue
            is_key = not reader.bits(1)
            shown += reader.bits(1)
            if is_key and index == 0:
                flags = Flag.CLOSED | Flag.KEY
        if shown > 1:
            raise Unplannable("several frames shown by one packet")
        return flags if shown else flags | Flag.HIDDEN


def _vp9_frames(data: Bytes) -> list[tuple[int, int]]:
    """Offset and size of each frame in a packet (VP9 specification, annex B)."""
    last = data[-1]
    if last & 0xE0 == 0xC0:
        count, width = (last & 7) + 1, (last >> 3 & 3) + 1
        index_size = 2 + count * width
        if len(data) >= index_size and data[-index_size] == last:
            frames, at = [], 0
            start = len(data) - index_size + 1
            for frame in range(count):
                size = int.from_bytes(data[start + frame * width : start + (frame + 1) * width], "little")
                if size:
                    frames.append((at, size))
                at += size
            return frames
    return [(0, len(data))]


class Av1(_InOrder):
    """AV1 bitstream and decoding process specification, version 1.0.0 with errata 1.

    All that one frame hands on to another goes through the eight reference slots (7.20, 7.21), so a packet whose
    frames have refresh_frame_flags 0 is used by no other. A shown key frame fills all slots.
    """

    def __init__(self) -> None:
        self._sequence: _Av1Sequence | None = None
        self._sequence_bytes = b""
        self._slot_is_key = [False] * 8

    def inspect(self, data: Bytes) -> int:
        """Read all frame headers of a temporal unit."""
        flags, shown, droppable, first, announced = 0, 0, True, True, False
        for kind, layer, unit in _av1_units(data):
            if kind == 1:
                announced = True
                if bytes(unit) != self._sequence_bytes:
                    if self._sequence is not None:
                        raise Unplannable("the sequence header changes within the stream")
                    self._sequence_bytes = bytes(unit)
                    self._sequence = _Av1Sequence(BitReader(unit))
            elif kind in (3, 6):
                if self._sequence is None:
                    raise Unplannable("a frame comes before the sequence header")
                header = _Av1Frame(BitReader(unit[:64]), self._sequence, layer)
                shown += header.shown
                if header.existing is not None:
                    droppable = False
                    if self._slot_is_key[header.existing]:
                        flags |= Flag.KEY
                        self._slot_is_key = [True] * 8
                else:
                    droppable &= header.refreshes == 0
                    for slot in range(8):
                        if header.refreshes >> slot & 1:
                            self._slot_is_key[slot] = header.is_key
                    if header.is_key and header.shown:
                        flags |= Flag.KEY | (Flag.CLOSED if first and announced else 0)
                first = False
        if shown > 1:
            raise Unplannable("several frames shown by one packet")
        if droppable and not announced:
            flags |= Flag.DROPPABLE
        return flags if shown else flags | Flag.HIDDEN


def _av1_units(data: Bytes) -> list[tuple[int, int, Bytes]]:
    """Type, temporal layer and payload of each open bitstream unit of a temporal unit (AV1 specification, 5.3)."""
    units = []
    at, end = 0, len(data)
    while at < end:
        header = data[at]
        at += 1
        layer = 0
        if header & 4:
            layer = data[at] >> 5
            if data[at] >> 3 & 3:
                raise Unplannable("spatial layers")
            at += 1
        size = end - at
        if header & 2:
            size = shift = 0
            while True:
                byte = data[at]
                at += 1
                size |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
                if shift > 56:
                    raise EOFError("not a leb128 number")
        if at + size > end:
            raise EOFError("a unit is longer than its packet")
        units.append((header >> 3 & 15, layer, data[at : at + size]))
        at += size
    return units


class _Av1Sequence:
    """What frame headers need of the sequence header (AV1 specification, 5.5)."""

    def __init__(self, read: BitReader) -> None:
        read.skip(4)
        if read.bits(1):
            raise Unplannable("a still picture")
        self.decoder_model = self.equal_interval = False
        self.presentation_bits = 0
        removal_bits = delay_bits = 0
        if read.bits(1):
            read.skip(64)
            self.equal_interval = bool(read.bits(1))
            if self.equal_interval:
                read.golomb()
            self.decoder_model = bool(read.bits(1))
            if self.decoder_model:
                delay_bits = read.bits(5) + 1
                read.skip(32)
                removal_bits = read.bits(5) + 1
                self.presentation_bits = read.bits(5) + 1
        display_delay = read.bits(1)
        self.removal_bits = removal_bits
        self.points: list[tuple[int, bool]] = []
        for _ in range(read.bits(5) + 1):
            layers = read.bits(12)
            if read.bits(5) > 7:
                read.skip(1)
            modelled = self.decoder_model and bool(read.bits(1))
            if modelled:
                read.skip(2 * delay_bits + 1)
            if display_delay and read.bits(1):
                read.skip(4)
            self.points.append((layers, modelled))
        width_bits, height_bits = read.bits(4) + 1, read.bits(4) + 1
        read.skip(width_bits + height_bits)
        self.id_bits = 0
        if read.bits(1):
            delta = read.bits(4) + 2
            self.id_bits = delta + read.bits(3) + 1
        read.skip(7)
        self.order_hint_bits = 0
        ordered = read.bits(1)
        if ordered:
            read.skip(2)
        self.screen_content = 2 if read.bits(1) else read.bits(1)
        self.integer_mv = 2
        if self.screen_content and not read.bits(1):
            self.integer_mv = read.bits(1)
        if ordered:
            self.order_hint_bits = read.bits(3) + 1


class _Av1Frame:
    """The start of a frame header (AV1 specification, 5.9.2).

    Attributes:
        existing: Slot whose frame is shown, if this shows one and codes none.
        is_key: Whether it is a key frame.
        shown: Whether it puts a frame on screen.
        refreshes: Bit i: the frame goes into slot i.
    """

    def __init__(self, read: BitReader, sequence: _Av1Sequence, layer: int) -> None:
        self.existing: int | None = None
        self.is_key, self.shown, self.refreshes = False, True, 0
        if read.bits(1):
            self.existing = read.bits(3)
            return
        kind = read.bits(2)
        self.is_key = kind == 0
        intra, switch = kind in (0, 2), kind == 3
        self.shown = bool(read.bits(1))
        if self.shown and sequence.decoder_model and not sequence.equal_interval:
            read.skip(sequence.presentation_bits)
        if not self.shown:
            read.skip(1)
        resilient = switch or (self.is_key and self.shown) or bool(read.bits(1))
        read.skip(1)
        screen_content = read.bits(1) if sequence.screen_content == 2 else sequence.screen_content
        if screen_content and sequence.integer_mv == 2:
            read.skip(1)
        read.skip(sequence.id_bits)
        if not switch:
            read.skip(1)
        read.skip(sequence.order_hint_bits)
        if not intra and not resilient:
            read.skip(3)
        if sequence.decoder_model and read.bits(1):
            for layers, modelled in sequence.points:
                if modelled and (layers == 0 or (layers >> layer & 1 and layers >> 8 & 1)):
                    read.skip(sequence.removal_bits)
        self.refreshes = 255 if switch or (self.is_key and self.shown) else read.bits(8)

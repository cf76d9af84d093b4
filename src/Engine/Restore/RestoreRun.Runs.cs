namespace BackupDr.Engine.Restore;

public sealed partial class RestoreRun
{
    /// <summary>Blobs that lie one behind the other in a pack and in the file that they go to, so that they are written at once.</summary>
    /// <remarks>A database file in chunks of 64 KiB would otherwise be written in as many calls.</remarks>
    sealed class WriteRun(RestoreRun restore) : IDisposable
    {
        /// <summary>Runs longer than this gain nothing more.</summary>
        const int LongestRun = 2 << 20;

        byte[] _plain = [];
        PlannedPart _first;
        int _length, _parts;

        /// <summary>Where the blob of a part is to be decoded to; what was there and does not lead up to it is written before.</summary>
        public Span<byte> Room(PlannedPart part, int length)
        {
            var continues = _parts > 0 && part.File == _first.File && part.Offset == _first.Offset + _length
                && _length + length <= Math.Min(LongestRun, _plain.Length);
            if (!continues)
            {
                Write();
                _first = part;
                Grow(length);
            }
            return _plain.AsSpan(_length, length);
        }

        /// <summary>The bytes are in the room that was given: they go to all these parts.</summary>
        public void Add(List<PlannedPart> parts, int length)
        {
            for (var i = 1; i < parts.Count; i++)
            {
                restore.WritePart(parts[i], _plain.AsSpan(_length, length));
                restore.EndPart(parts[i]);
            }
            _length += length;
            _parts++;
        }

        /// <summary>Writes what is left.</summary>
        public void Write()
        {
            if (_parts == 0) return;
            var (first, parts, length) = (_first, _parts, _length);
            (_parts, _length) = (0, 0);
            restore.WritePart(first, _plain.AsSpan(0, length));
            for (var i = 0; i < parts; i++) restore.EndPart(first);
        }

        void Grow(int length)
        {
            if (_plain.Length >= length) return;
            GiveBack();
            _plain = restore._repository.Buffers.Rent(Math.Max(length, LongestRun));
        }

        void GiveBack()
        {
            if (_plain.Length > 0) restore._repository.Buffers.Return(_plain);
            _plain = [];
        }

        /// <summary>Gives the memory back; what was not written is dropped.</summary>
        public void Dispose() => GiveBack();
    }
}

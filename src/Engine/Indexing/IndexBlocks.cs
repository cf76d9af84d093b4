using System.Runtime.InteropServices;
using BackupDr.Storage.Posix;

namespace BackupDr.Engine.Indexing;

/// <summary>Writes rows as blocks, one after another.</summary>
/// <param name="file">Where.</param>
/// <param name="offset">Where the first block begins.</param>
/// <param name="fences">Gets the first 8 bytes of each block's first id; null where nobody searches them.</param>
sealed class IndexBlockWriter(Descriptor file, long offset, List<ulong>? fences)
{
    const int BlocksAtOnce = 256;   // 1 MiB
    readonly byte[] _piece = new byte[BlocksAtOnce * IndexBlock.Size];
    int _blocks, _inBlock;
    long _written;

    /// <summary>Rows added.</summary>
    public int Rows { get; private set; }

    /// <summary>Bytes of whole blocks written; all of them after <see cref="Flush"/>.</summary>
    public long Bytes => _written * IndexBlock.Size;

    /// <summary>Adds a row; they come in order.</summary>
    public void Add(in IndexRow row)
    {
        if (_inBlock == 0) fences?.Add(row.Id.Prefix);
        MemoryMarshal.Write(_piece.AsSpan(_blocks * IndexBlock.Size + _inBlock * IndexRow.Size), in row);
        Rows = checked(Rows + 1);
        if (++_inBlock == IndexBlock.Rows) Close();
    }

    /// <summary>Writes what is left; the last block may be short.</summary>
    public void Flush()
    {
        if (_inBlock > 0) Close();
        Write();
    }

    void Close()
    {
        IndexBlock.Close(_piece.AsSpan(_blocks * IndexBlock.Size, IndexBlock.Size), _written + _blocks);
        _inBlock = 0;
        if (++_blocks == BlocksAtOnce) Write();
    }

    void Write()
    {
        file.WriteAt(offset + Bytes, _piece.AsSpan(0, _blocks * IndexBlock.Size));
        _written += _blocks;
        _blocks = 0;
        Array.Clear(_piece);
    }
}

/// <summary>Reads rows of consecutive blocks, 64 KiB at once.</summary>
static class IndexBlockReader
{
    const int BlocksAtOnce = 16;

    /// <exception cref="RepositoryException">A block is not what was written.</exception>
    public static IEnumerable<IndexRow> Read(Descriptor file, long offset, int rows)
    {
        var piece = new byte[BlocksAtOnce * IndexBlock.Size];
        for (var done = 0; done < rows;)
        {
            var number = done / IndexBlock.Rows;
            if (number % BlocksAtOnce == 0) file.FillAt(offset + (long)number * IndexBlock.Size, piece);
            var block = piece.AsMemory(number % BlocksAtOnce * IndexBlock.Size, IndexBlock.Size);
            if (!IndexBlock.IsWhole(block.Span, number))
                throw RepositoryException.Damaged("the index cache of this machine", $"its block {number} is not what was written.");
            var count = Math.Min(IndexBlock.Rows, rows - done);
            for (var at = 0; at < count; at++) yield return IndexBlock.RowsOf(block.Span, count)[at];
            done += count;
        }
    }
}

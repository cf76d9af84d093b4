using System.Security.Cryptography;
using BackupDr.Contracts;

namespace BackupDr.Scheduler.Gateway;

/// <summary>Takes objects from the network into memory, hashing them as they come. Its memory is bounded; who comes later waits.</summary>
public sealed class GatewayUploads : IDisposable
{
    /// <summary>Largest object. Stock restic's packs have up to 128 MiB and a header.</summary>
    public const int LargestBytes = 160 << 20;

    /// <summary>Bytes of all objects that a node takes at the same time.</summary>
    public const int MemoryBytes = 2 * LargestBytes;

    const int Piece = 1 << 20;
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    readonly SemaphoreSlim _pieces = new(MemoryBytes / Piece);
    readonly SemaphoreSlim _turn = new(1);   // one at a time gathers pieces, so that two halves never wait for each other

    /// <summary>An object that came in, with the room it takes.</summary>
    public sealed class Upload(GatewayUploads owner, byte[] content, string sha256) : IDisposable
    {
        /// <summary>The bytes.</summary>
        public ReadOnlyMemory<byte> Content => content;

        /// <summary>Their SHA-256, 64 hex digits.</summary>
        public string Sha256 => sha256;

        /// <summary>Gives the room back.</summary>
        public void Dispose() => owner._pieces.Release(Pieces(content.Length));
    }

    /// <summary>Receives a body of a stated length.</summary>
    /// <exception cref="BadInputException">It ends before.</exception>
    /// <exception cref="UnavailableException">It stalls.</exception>
    public async Task<Upload> Receive(Stream body, int length, CancellationToken ct)
    {
        var pieces = Pieces(length);
        await _turn.WaitAsync(ct);
        var taken = 0;
        try
        {
            for (; taken < pieces; taken++) await _pieces.WaitAsync(ct);
        }
        catch (OperationCanceledException)
        {
            if (taken > 0) _pieces.Release(taken);
            throw;
        }
        finally { _turn.Release(); }
        try
        {
            var content = GC.AllocateUninitializedArray<byte>(length);
            return new Upload(this, content, await Fill(body, content, ct));
        }
        catch
        {
            _pieces.Release(pieces);
            throw;
        }
    }

    static int Pieces(int length) => Math.Max(1, (length + Piece - 1) / Piece);

    static async Task<string> Fill(Stream body, byte[] content, CancellationToken ct)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var stalled = CancellationTokenSource.CreateLinkedTokenSource(ct);
        for (var at = 0; at < content.Length;)
        {
            stalled.CancelAfter(Patience);
            int count;
            try { count = await body.ReadAsync(content.AsMemory(at, Math.Min(Piece, content.Length - at)), stalled.Token); }
            catch (OperationCanceledException) when (!ct.IsCancellationRequested)
            {
                throw new UnavailableException("gateway.stalled", $"Nothing of the body came for {Patience.TotalSeconds:0} seconds.",
                    "Send it again.");
            }
            if (count == 0) throw new BadInputException("body", $"The body ended after {at} of {content.Length} bytes.", "Send it again.");
            hash.AppendData(content.AsSpan(at, count));
            at += count;
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Frees the gates.</summary>
    public void Dispose()
    {
        _pieces.Dispose();
        _turn.Dispose();
    }
}

using System.Buffers.Binary;
using System.Security.Cryptography;
using Azure;
using Azure.Storage;
using Azure.Storage.Blobs.Models;
using BackupDr.Storage.Http;

namespace BackupDr.Storage.Azure;

/// <summary>How bytes become a blob: in one request, or large ones block by block. Either way the service refuses a name that is taken
/// and a body that did not arrive as it was sent.</summary>
sealed class AzureUpload
{
    const int BlockBytes = 16 * 1024 * 1024;

    // Blocks of all writers of a name lie together until one commits, and all ids must be of one length: 16 bytes, as restic's.
    const int IdBytes = 16, WriterBytes = 12;

    static readonly BlobRequestConditions OnlyIfNew = new() { IfNoneMatch = ETag.All };
    static readonly BlobHttpHeaders Headers = new() { ContentType = "application/octet-stream" };

    // Computed by the SDK over the body, checked by the service; it guards against accidents on the way only.
    static readonly UploadTransferValidationOptions Md5 = new() { ChecksumAlgorithm = StorageChecksumAlgorithm.MD5 };

    readonly AzureStore _store;
    readonly int _blocksFrom;
    readonly AccessTier? _tier;

    public AzureUpload(AzureStore store, StoreOptions options, int blocksFrom)
    {
        (_store, _blocksFrom) = (store, blocksFrom);
        if (options.Text("azure.access-tier") is not null)
            _tier = options.Choice("azure.access-tier", [.. AzureTiers.Known.Select(tier => tier.ToString())]);
    }

    public Task Put(ObjectName name, ReadOnlyMemory<byte> content, CancellationToken ct)
        => content.Length >= _blocksFrom ? PutBlocks(name, content, ct) : PutWhole(name, content, ct);

    Task PutWhole(ObjectName name, ReadOnlyMemory<byte> content, CancellationToken ct) => _store.Guarded($"put {name}", ct, async stall =>
    {
        await using var body = new BodyStream(content, stall);
        return await _store.Blob(name).UploadAsync(body, new BlobUploadOptions
        {
            Conditions = OnlyIfNew,
            HttpHeaders = Headers,
            AccessTier = Tier(name),
            TransferValidation = Md5,
            // Never in blocks of the SDK's making: their ids are the same for every writer, so that a commit takes what another staged.
            TransferOptions = new StorageTransferOptions { InitialTransferSize = content.Length + 1L },
        }, stall.Token);
    });

    async Task PutBlocks(ObjectName name, ReadOnlyMemory<byte> content, CancellationToken ct)
    {
        // The commit would refuse it too, after all of it went over the network.
        if (await _store.Head(name, ct) is not null)
            throw new StoreException(StoreFault.Exists, $"put {name} in {_store.Url}: there is an object of that name already.");
        var ids = new List<string>();
        var id = RandomNumberGenerator.GetBytes(IdBytes);
        for (var at = 0; at < content.Length; at += BlockBytes)
        {
            BinaryPrimitives.WriteInt32BigEndian(id.AsSpan(WriterBytes), ids.Count);
            ids.Add(Convert.ToBase64String(id));
            await PutBlock(name, ids[^1], content.Slice(at, Math.Min(BlockBytes, content.Length - at)), ct);
        }
        // Blocks that are never committed show nowhere and are removed by the service after a week.
        await _store.Guarded($"put {name}", ct, stall => _store.Blob(name).CommitBlockListAsync(ids,
            new CommitBlockListOptions { Conditions = OnlyIfNew, HttpHeaders = Headers, AccessTier = Tier(name) }, stall.Token));
    }

    Task PutBlock(ObjectName name, string id, ReadOnlyMemory<byte> block, CancellationToken ct)
        => _store.Guarded($"put a block of {name}", ct, async stall =>
        {
            await using var body = new BodyStream(block, stall);
            return await _store.Blob(name).StageBlockAsync(id, body,
                new BlockBlobStageBlockOptions { TransferValidation = Md5 }, stall.Token);
        });

    // Index, snapshots, keys, config and locks are read and rewritten all the time: they stay where the account puts them.
    AccessTier? Tier(ObjectName name) => name.Value.StartsWith("data/", StringComparison.Ordinal) ? _tier : null;
}

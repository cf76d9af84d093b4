using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using BackupDr.Contracts;
using BackupDr.Storage.Http;
using BackupDr.Storage.Layers;

namespace BackupDr.Storage.Azure;

/// <summary>Objects as block blobs of one container, under the names that stock restic uses.</summary>
/// <remarks>
/// A put is one conditional request (If-None-Match) with an MD5 that the service checks; from <see cref="BlocksFrom"/> on it is blocks
/// and a conditional commit. Either becomes visible whole or not at all. The first put into a container that does not exist makes it, as
/// stock restic does. Retention and legal hold are not offered: no server at hand keeps them, so they could not be tried.
/// </remarks>
public sealed class AzureStore : IObjectStore
{
    /// <summary>From this size on an object goes up in blocks. 64 MiB.</summary>
    public const int BlocksFrom = 64 * 1024 * 1024;

    const int PageNames = 5000;   // the most that the service gives

    const string FolderMark = "hdi_isfolder";   // in the metadata of folders, in accounts that have folders

    readonly AzureAddress _address;
    readonly StoreOptions _options;
    readonly HttpClient _http;
    readonly ServerClock _clock;
    readonly ManagedIdentity? _identity;
    readonly BlobContainerClient _container;
    readonly AzureErrors _errors;
    readonly string? _signature;
    readonly AzureUpload _upload;
    readonly int _pageNames;
    readonly TimeSpan _stallPatience;
    volatile bool _containerSeen;   // an operation on it has worked

    /// <param name="address">Where.</param>
    /// <param name="options">The environment with the account and its credentials; tier and the rest.</param>
    /// <param name="blocksFrom">Size in bytes from which objects are uploaded in blocks; tests lower it.</param>
    /// <param name="pageNames">Most names in one answer of a listing; tests lower it.</param>
    /// <param name="stallPatience">Longest time without a byte; <see cref="Stall.Patience"/> where null.</param>
    /// <exception cref="BadInputException">An option or a variable cannot be used.</exception>
    public AzureStore(AzureAddress address, StoreOptions options, int blocksFrom = BlocksFrom, int pageNames = PageNames,
        TimeSpan? stallPatience = null)
    {
        (_address, _options, _pageNames) = (address, options, pageNames);
        _stallPatience = stallPatience ?? Stall.Patience;
        _upload = new AzureUpload(this, options, blocksFrom);
        Tiers = new AzureTiers(this, options);
        _clock = new ServerClock(options.Clock);
        _http = StoreHttp.Open(options, _clock);
        _identity = options.Text(AzureConnection.Identity) is null ? null : new ManagedIdentity(options);
        _container = AzureConnection.Open(address, options, _http, _identity);
        _signature = _identity is null ? AzureConnection.Signature(options) : null;
        _errors = new AzureErrors(Account, _signature, _identity is not null, options.Clock);
    }

    internal BlockBlobClient Blob(ObjectName name) => _container.GetBlockBlobClient(_address.Key(name.Value));

    /// <summary>Where requests go: scheme, host and port.</summary>
    public string Account => _container.Uri.GetLeftPart(UriPartial.Authority);

    /// <inheritdoc/>
    public string Url => _address.ToString();

    /// <inheritdoc/>
    public int RequestsAtOnce => StoreHttp.RequestsAtOnce;

    /// <inheritdoc/>
    public StoreAbilities Abilities => StoreAbilities.ConditionalPut | StoreAbilities.StorageClasses | StoreAbilities.Thaw;

    /// <inheritdoc/>
    public IObjectTiers Tiers { get; }

    /// <inheritdoc/>
    public TimeSpan? ClockDifference => _clock.Difference;

    /// <inheritdoc/>
    public async Task Put(ObjectName name, ReadOnlyMemory<byte> content, CancellationToken ct)
    {
        if (!_containerSeen) await NeedContainer(ct);
        try { await _upload.Put(name, content, ct); }
        // A signature that may create and not write is denied a name that is taken, in the same words as any other name.
        catch (StoreException e) when (e.Fault == StoreFault.Denied && _signature is not null)
        {
            if (!await IsSeen(name, ct)) throw;
            throw new StoreException(StoreFault.Exists, $"put {name} in {Url}: there is an object of that name already.", null, e);
        }
    }

    /// <inheritdoc/>
    public async Task Read(ObjectName name, long offset, Memory<byte> target, CancellationToken ct)
    {
        if (target.IsEmpty)
        {
            var size = (await Head(name, ct))?.SizeBytes
                ?? throw new StoreException(StoreFault.Missing, $"read {name} in {Url}: there is no such object.");
            if (offset > size) throw Short(name, offset, 0, 0);
            return;
        }
        var filled = 0;
        await Guarded($"read {name}", ct, async stall =>
        {
            using var once = OneRequest.Begin();
            using BlobDownloadStreamingResult found = await Blob(name).DownloadStreamingAsync(
                new BlobDownloadOptions { Range = new HttpRange(offset, target.Length) }, stall.Token);
            // A server that ignores the range answers with the object's beginning, which would be taken for the part asked for.
            if (offset > 0 && string.IsNullOrEmpty(found.Details.ContentRange))
                throw new StoreException(StoreFault.Unusable, $"read {name} in {Url}: the server does not honour ranges.");
            while (filled < target.Length)
            {
                var count = await found.Content.ReadAsync(target[filled..], stall.Token);
                if (count == 0) break;
                filled += count;
                stall.Moved();
            }
            return true;
        });
        if (filled < target.Length) throw Short(name, offset, target.Length, filled);
    }

    /// <inheritdoc/>
    public Task<StoredObject?> Head(ObjectName name, CancellationToken ct) => Guarded<StoredObject?>($"look at {name}", ct, async stall =>
    {
        try
        {
            BlobProperties found = await Blob(name).GetPropertiesAsync(cancellationToken: stall.Token);
            return new StoredObject(name, found.ContentLength);
        }
        catch (RequestFailedException e) when (e.Status == 404) { return null; }
    });

    /// <inheritdoc/>
    /// <remarks>A page that fails for a passing reason is asked for again; one that stays away ends the listing with its error.</remarks>
    public async IAsyncEnumerable<StoredObject> List(string folder, [EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var (stored, _) in Found(folder, ct)) yield return stored;
    }

    /// <summary>The same with all that the service tells.</summary>
    internal async IAsyncEnumerable<(StoredObject Stored, BlobItemProperties Found)> Found(string folder,
        [EnumeratorCancellation] CancellationToken ct)
    {
        if (folder.Length > 0 && !ObjectName.IsLegal(folder))
            throw new ArgumentException($"'{folder}' is not a folder name.", nameof(folder));
        var root = _address.Prefix.Length == 0 ? "" : _address.Prefix + "/";
        var prefix = folder.Length == 0 ? root : $"{root}{folder}/";
        for (string? from = null; ;)
        {
            var begin = from;
            var page = await Retries.Run(() => Guarded($"list {(folder.Length == 0 ? "the root" : folder)}", ct,
                stall => Page(prefix, begin, stall.Token)), _options.Retry, _options.Clock, ct);
            foreach (var found in page.Values)
            {
                var name = found.Name[root.Length..];
                // Folders and names that we never write are nobody's business here.
                if (ObjectName.IsLegal(name) && found.Metadata?.ContainsKey(FolderMark) != true)
                    yield return (new StoredObject(new ObjectName(name), found.Properties.ContentLength ?? 0), found.Properties);
            }
            if (string.IsNullOrEmpty(page.ContinuationToken)) yield break;
            if (page.ContinuationToken == from)
                throw new StoreException(StoreFault.Unusable, $"list {folder} in {Url}: the server gives the same page for ever.");
            from = page.ContinuationToken;
        }
    }

    /// <inheritdoc/>
    public Task<bool> Delete(ObjectName name, CancellationToken ct) => Guarded($"delete {name}", ct, async stall =>
    {
        try { await Blob(name).DeleteAsync(cancellationToken: stall.Token); }
        catch (RequestFailedException e) when (e.Status == 404) { return false; }
        return true;
    });

    /// <summary>Ends the connections.</summary>
    public ValueTask DisposeAsync()
    {
        _identity?.Dispose();
        _http.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Runs one request: cuts stalls, turns what the SDK throws into the store's words.</summary>
    [SuppressMessage("Design", "CA1068", Justification = "The request is many lines long and reads as a block only where it stands last.")]
    internal Task<T> Guarded<T>(string what, CancellationToken ct, Func<Stall, Task<T>> request)
        => Stall.Guard($"{what} in {Url}", _options.Clock, _stallPatience, request, (tried, e)
            => e is RequestFailedException or HttpRequestException or IOException or StoreException
                ? _errors.Translate(tried, e) : null, ct);

    async Task<bool> IsSeen(ObjectName name, CancellationToken ct)
    {
        try { return await Head(name, ct) is not null; }
        catch (StoreException e) when (e.Fault == StoreFault.Denied) { return false; }
    }

    async Task<Page<BlobItem>> Page(string prefix, string? from, CancellationToken ct)
    {
        var pages = _container.GetBlobsAsync(BlobTraits.Metadata, BlobStates.None, prefix, ct).AsPages(from, _pageNames);
        await using var page = pages.GetAsyncEnumerator(ct);
        return await page.MoveNextAsync() ? page.Current : throw new IOException("the listing had no page.");
    }

    // Asked before the first body goes out, not learnt from its refusal: a server that answers before it has read the body may take the
    // body for the next request on that connection.
    async Task NeedContainer(CancellationToken ct)
    {
        await Guarded("look at the container", ct, async stall =>
        {
            try { await _container.GetPropertiesAsync(cancellationToken: stall.Token); }
            catch (RequestFailedException e) when (e.Status == 404) { await Make(stall.Token); }
            // A signature that may only put is not allowed to look, and whether the container is there is told by the put.
            catch (RequestFailedException e) when (e.Status == 403) { return false; }
            return true;
        });
        _containerSeen = true;
    }

    async Task Make(CancellationToken ct)
    {
        try { await _container.CreateAsync(cancellationToken: ct); }
        catch (RequestFailedException e) when (e.ErrorCode == "ContainerAlreadyExists") { /* somebody was quicker */ }
    }

    StoreException Short(ObjectName name, long offset, int wanted, int filled) => new(StoreFault.ShortRead,
        $"read {name} in {Url}: wanted {wanted} bytes from offset {offset}, but the object ends after {offset + filled}.");
}

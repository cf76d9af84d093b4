using System.Buffers;
using System.Globalization;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.ControlPlane;
using BackupDr.Storage;
using BackupDr.Storage.Rest;
using Microsoft.AspNetCore.Http.Features;

namespace BackupDr.Scheduler.Gateway;

/// <summary>Serves the objects of one repository over restic's REST protocol, to add to and not to take from.</summary>
public sealed class ServeObjects(GatewayGrants grants, GatewayStores stores, GatewayUploads uploads, GatewayUsage usage, GatewayRules rules,
    RefusedDeletes refused, TermFence fence)
{
    const int Piece = 1 << 20;

    public async Task Handle(Caller caller, RepositoryId repository, string path, HttpContext http, CancellationToken ct)
    {
        caller.Must(Right.ObjectUse);
        http.Response.Headers[RestStore.GatewayHeader] = "1";
        var grant = await grants.Of(caller, repository, ct);
        if (GatewayCall.Parse(http.Request.Method, path, http.Request.Query) is not { } call)
        {
            Answer(http, StatusCodes.Status404NotFound);
            return;
        }
        var store = await stores.Of(grant, ct);
        switch (call.Verb)
        {
            case GatewayVerb.Make: Answer(http, StatusCodes.Status200OK); break;   // the first object makes what it needs
            case GatewayVerb.ListKind: await ListKind(http, store, call.Folder, ct); break;
            case GatewayVerb.ListFolder:
                await WriteListing(http, await Listed(store, call.Folder, found => found.Name.Value, ct), ct);
                break;
            case GatewayVerb.Look: await Look(http, store, call.Name, ct); break;
            case GatewayVerb.Read: await Read(http, store, call.Name, ct); break;
            case GatewayVerb.Put: await Put(http, grant, store, call.Name, ct); break;
            case GatewayVerb.Delete when rules.MayDelete(call.Name):
                fence.MustBeLatest();
                Answer(http, await store.Delete(call.Name, ct) ? StatusCodes.Status200OK : StatusCodes.Status404NotFound);
                break;
            case GatewayVerb.Delete or GatewayVerb.Remove:
                await refused.Note(caller, repository, call.Verb == GatewayVerb.Remove ? "the whole repository" : call.Name.Value, ct);
                throw new DeniedException("Through the gateway nothing is deleted but locks.",
                    "Retention runs on the node's machine; change the policy there.");
            default: throw new InvalidOperationException($"The verb {call.Verb} is not served.");
        }
    }

    // Without a body, and with our header: a refusal that is an ordinary answer of the protocol.
    static void Answer(HttpContext http, int status)
    {
        http.Response.StatusCode = status;
        http.Response.ContentLength = 0;
    }

    static async Task ListKind(HttpContext http, IObjectStore store, string kind, CancellationToken ct)
    {
        var found = await Listed(store, kind, one => one.Name.LastSegment, ct);
        if (http.Request.Headers.Accept.ToString().Contains(RestStore.ListingType, StringComparison.Ordinal))
        {
            await WriteListing(http, found, ct);
            return;
        }
        http.Response.ContentType = "application/vnd.x.restic.rest.v1";
        await JsonSerializer.SerializeAsync(http.Response.Body, [.. found.Select(one => one.Name)], RestJson.Default.ListString, ct);
    }

    // Read to its end before the first byte goes out: a listing that fails half-way must not look like a short one.
    static async Task<List<RestListed>> Listed(IObjectStore store, string folder, Func<StoredObject, string> name, CancellationToken ct)
    {
        var listed = new List<RestListed>();
        try
        {
            await foreach (var found in store.List(folder, ct)) listed.Add(new RestListed(name(found), found.SizeBytes));
        }
        catch (StoreException e) when (e.Fault == StoreFault.Unusable) { return []; }   // the repository is not made yet
        return listed;
    }

    static async Task WriteListing(HttpContext http, List<RestListed> found, CancellationToken ct)
    {
        http.Response.ContentType = RestStore.ListingType;
        await JsonSerializer.SerializeAsync(http.Response.Body, found, RestJson.Default.ListRestListed, ct);
    }

    static async Task Look(HttpContext http, IObjectStore store, ObjectName name, CancellationToken ct)
    {
        if (await store.Head(name, ct) is not { } found) { Answer(http, StatusCodes.Status404NotFound); return; }
        http.Response.ContentType = "application/octet-stream";
        http.Response.ContentLength = found.SizeBytes;
    }

    static async Task Read(HttpContext http, IObjectStore store, ObjectName name, CancellationToken ct)
    {
        if (await store.Head(name, ct) is not { } found) { Answer(http, StatusCodes.Status404NotFound); return; }
        var header = http.Request.Headers.Range.ToString();
        if (GatewayCall.Range(header, found.SizeBytes) is not { } range)
        {
            http.Response.Headers.ContentRange = string.Create(CultureInfo.InvariantCulture, $"bytes */{found.SizeBytes}");
            Answer(http, StatusCodes.Status416RangeNotSatisfiable);
            return;
        }
        http.Response.ContentType = "application/octet-stream";
        http.Response.ContentLength = range.Length;
        if (header.Length > 0)
        {
            http.Response.StatusCode = StatusCodes.Status206PartialContent;
            http.Response.Headers.ContentRange = string.Create(CultureInfo.InvariantCulture,
                $"bytes {range.From}-{range.From + range.Length - 1}/{found.SizeBytes}");
        }
        var buffer = ArrayPool<byte>.Shared.Rent(Piece);
        try
        {
            for (var at = 0L; at < range.Length;)
            {
                var count = (int)Math.Min(Piece, range.Length - at);
                await store.Read(name, range.From + at, buffer.AsMemory(0, count), ct);
                await http.Response.Body.WriteAsync(buffer.AsMemory(0, count), ct);
                at += count;
            }
        }
        catch (StoreException) when (http.Response.HasStarted) { http.Abort(); }   // cut short is what the reader must see
        finally { ArrayPool<byte>.Shared.Return(buffer); }
    }

    async Task Put(HttpContext http, GatewayGrant grant, IObjectStore store, ObjectName name, CancellationToken ct)
    {
        if (http.Request.ContentLength is not { } length)
            throw new BadInputException("Content-Length", "An object is sent with its length.", "Send Content-Length.");
        if (length > GatewayUploads.LargestBytes)
            throw new BadInputException("body", $"{name} has {length} bytes; the gateway takes up to {GatewayUploads.LargestBytes}.",
                "Choose smaller packs.");
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = GatewayUploads.LargestBytes;
        // The body is taken before anything is refused: who is still sending would see a broken connection instead of the answer.
        using var upload = await uploads.Receive(http.Request.Body, (int)length, ct);
        fence.MustBeLatest();
        if (!rules.MayPut(name))
            throw new DeniedException($"Through the gateway {name} cannot be written: only restic's own objects can.",
                "Garbage collection and repairs run on the node's machine.");
        if (rules.IsNamedByContent(name) && upload.Sha256 != name.LastSegment)
            throw new BadInputException("body", $"What came as {name} has the SHA-256 {upload.Sha256}.",
                "It was changed on its way or in the sender's memory; send it again.");
        if (grant.QuotaBytes is { } quota && !rules.MayDelete(name) && await usage.Of(grant.Repository, store, ct) + length > quota)
            throw new StoreException(StoreFault.Full, $"put {name}: the repository has reached its quota of {quota} bytes.",
                "Raise the location's quota, or keep fewer recovery points.");
        try
        {
            await store.Put(name, upload.Content, ct);
            usage.Added(grant.Repository, length);
        }
        catch (StoreException e) when (e.Fault == StoreFault.Exists)
        {
            if (!await IsSame(http, store, name, length, ct)) throw;
        }
        Answer(http, StatusCodes.Status200OK);
    }

    /// <summary>Whether a put of what exists counts as done: its first answer may have been lost. One with a condition wants to hear
    /// it.</summary>
    async Task<bool> IsSame(HttpContext http, IObjectStore store, ObjectName name, long length, CancellationToken ct)
        => !http.Request.Headers.ContainsKey("If-None-Match") && rules.IsNamedByContent(name)
            && await store.Head(name, ct) is { } found && found.SizeBytes == length;
}

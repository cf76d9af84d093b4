using BackupDr.Storage.S3;
using BackupDr.TestKit.Servers;

namespace BackupDr.Storage.Tests;

/// <summary>What S3 answers about its archive classes, which no server of ours has: by the words of its documentation.</summary>
public sealed class S3ArchiveTests
{
    static readonly CancellationToken None = CancellationToken.None;
    static readonly ObjectName Pack = new("data/ab/p");

    static S3Store Open(ScriptedServer server) => new(S3Address.Parse($"s3:{server.Endpoint}/bucket/p"), S3Server.Options());

    static ScriptedServer Head(string headers)
        => new($"HTTP/1.1 200 OK\nContent-Length: 3\nETag: \"e\"\nConnection: close\n{headers}\n\n");

    [Theory]
    [InlineData("x-amz-storage-class: GLACIER", "GLACIER", ThawState.Archived)]
    [InlineData("x-amz-storage-class: DEEP_ARCHIVE", "DEEP_ARCHIVE", ThawState.Archived)]
    [InlineData("x-amz-storage-class: GLACIER\nx-amz-restore: ongoing-request=\"true\"", "GLACIER", ThawState.Thawing)]
    [InlineData("x-amz-storage-class: GLACIER\nx-amz-restore: ongoing-request=\"false\", expiry-date=\"Fri, 21 Dec 2029 00:00:00 GMT\"",
        "GLACIER", ThawState.Readable)]
    [InlineData("x-amz-storage-class: INTELLIGENT_TIERING\nx-amz-archive-status: ARCHIVE_ACCESS", "INTELLIGENT_TIERING",
        ThawState.Archived)]
    [InlineData("x-amz-storage-class: INTELLIGENT_TIERING", "INTELLIGENT_TIERING", ThawState.Readable)]
    [InlineData("x-amz-storage-class: GLACIER_IR", "GLACIER_IR", ThawState.Readable)]
    [InlineData("x-amz-request-id: 1", "STANDARD", ThawState.Readable)]
    public async Task The_headers_of_an_object_tell_whether_it_can_be_read(string headers, string named, ThawState state)
    {
        await using var server = Head(headers);
        await using var store = Open(server);

        Assert.Equal(new ObjectTier(named, state), await store.Tiers.Of(Pack, None));
    }

    [Theory]
    [InlineData("202 Accepted", "")]
    [InlineData("409 Conflict", "<Error><Code>RestoreAlreadyInProgress</Code><Message>It is in progress</Message></Error>")]
    [InlineData("403 Forbidden", "<Error><Code>InvalidObjectState</Code><Message>Restore is not allowed</Message></Error>")]
    public async Task A_thaw_that_is_under_way_or_not_needed_is_none_that_failed(string status, string body)
    {
        await using var server = new ScriptedServer($"HTTP/1.1 {status}\nContent-Length: {body.Length}\nContent-Type: application/xml\n"
            + $"Connection: close\n\n{body}");
        await using var store = Open(server);

        await store.Tiers.Thaw(Pack, 3, None);

        Assert.Equal(1, server.Requests);
    }

    [Fact]
    public async Task A_listing_tells_what_is_archived_and_since_when()
    {
        const string body = "<ListBucketResult><IsTruncated>false</IsTruncated>"
            + "<Contents><Key>p/data/ab/p</Key><LastModified>2026-03-04T05:06:07.000Z</LastModified><Size>3</Size>"
            + "<StorageClass>GLACIER</StorageClass></Contents>"
            + "<Contents><Key>p/data/ab/q</Key><LastModified>2026-03-04T05:06:07.000Z</LastModified><Size>4</Size>"
            + "<StorageClass>STANDARD_IA</StorageClass></Contents></ListBucketResult>";
        await using var server = new ScriptedServer($"HTTP/1.1 200 OK\nContent-Length: {body.Length}\nContent-Type: application/xml\n"
            + $"Connection: close\n\n{body}");
        await using var store = Open(server);

        var listed = await store.Tiers.List("data", None).ToListAsync(None);

        var since = new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero);
        Assert.Equal(
        [
            new TieredObject(new StoredObject(Pack, 3), "GLACIER", true, since),
            new TieredObject(new StoredObject(new ObjectName("data/ab/q"), 4), "STANDARD_IA", false, since),
        ], listed);
    }
}

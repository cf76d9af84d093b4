using BackupDr.Scheduler.Gateway;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace BackupDr.Scheduler.Tests.Gateway;

public sealed class GatewayCallTests
{
    static readonly string Id = new('a', 64);

    static GatewayCall? Parse(string method, string path, string key = "", string value = "") => GatewayCall.Parse(method,
        path.Replace("ID", Id, StringComparison.Ordinal),
        new QueryCollection(key.Length == 0 ? [] : new Dictionary<string, StringValues> { [key] = value }));

    [Theory]
    [InlineData("HEAD", "config", GatewayVerb.Look, "config")]
    [InlineData("GET", "config", GatewayVerb.Read, "config")]
    [InlineData("POST", "config", GatewayVerb.Put, "config")]
    [InlineData("GET", "data/ID", GatewayVerb.Read, "data/aa/ID")]
    [InlineData("POST", "keys/ID", GatewayVerb.Put, "keys/ID")]
    [InlineData("DELETE", "locks/ID", GatewayVerb.Delete, "locks/ID")]
    [InlineData("GET", "objects/x-backupdr/gc/marks/1", GatewayVerb.Read, "x-backupdr/gc/marks/1")]
    public void An_object_is_named_as_restic_names_it_or_by_its_whole_name(string method, string path, GatewayVerb verb, string name)
    {
        var call = Parse(method, path)!.Value;

        Assert.Equal((verb, name.Replace("ID", Id, StringComparison.Ordinal)), (call.Verb, call.Name.Value));
    }

    [Theory]
    [InlineData("index/", GatewayVerb.ListKind, "index")]
    [InlineData("data/", GatewayVerb.ListKind, "data")]
    [InlineData("objects/", GatewayVerb.ListFolder, "")]
    public void A_path_that_ends_with_a_slash_is_a_listing(string path, GatewayVerb verb, string folder)
        => Assert.Equal((verb, folder), (Parse("GET", path)!.Value.Verb, Parse("GET", path)!.Value.Folder));

    [Fact]
    public void A_folder_of_whole_names_stands_in_the_query()
        => Assert.Equal("data/ab", Parse("GET", "objects/", "folder", "data/ab")!.Value.Folder);

    [Theory]
    [InlineData("POST", "", "create", "true", GatewayVerb.Make)]
    [InlineData("DELETE", "", "", "", GatewayVerb.Remove)]
    public void The_repository_itself(string method, string path, string key, string value, GatewayVerb verb)
        => Assert.Equal(verb, Parse(method, path, key, value)!.Value.Verb);

    [Theory]
    [InlineData("GET", "")]
    [InlineData("POST", "")]
    [InlineData("GET", "secrets/ID")]
    [InlineData("GET", "data/../config")]
    [InlineData("GET", "data/aa/ID")]
    [InlineData("GET", "objects/../x")]
    [InlineData("GET", "objects//x")]
    [InlineData("GET", "objects/a b")]
    [InlineData("PUT", "config")]
    [InlineData("DELETE", "data/")]
    [InlineData("GET", "data/..")]
    public void What_is_no_path_of_the_protocol_is_none(string method, string path) => Assert.Null(Parse(method, path));

    [Theory]
    [InlineData(null, 0, 10)]
    [InlineData("", 0, 10)]
    [InlineData("bytes=0-", 0, 10)]
    [InlineData("bytes=3-", 3, 7)]
    [InlineData("bytes=3-3", 3, 1)]
    [InlineData("bytes=3-99", 3, 7)]
    public void A_range_is_cut_at_the_objects_end(string? header, long from, long length)
        => Assert.Equal((from, length), GatewayCall.Range(header, 10));

    [Theory]
    [InlineData("bytes=10-")]
    [InlineData("bytes=5-4")]
    [InlineData("bytes=-5")]
    [InlineData("bytes=1-2,4-5")]
    [InlineData("items=1-2")]
    [InlineData("bytes=+1-2")]
    public void A_range_without_any_byte_is_refused(string header) => Assert.Null(GatewayCall.Range(header, 10));
}

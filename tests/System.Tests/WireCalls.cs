using System.Net.Http.Json;
using System.Text.Json.Serialization.Metadata;

namespace BackupDr.SystemTests;

/// <summary>Calls of the API that must succeed; a refusal fails the test with its words.</summary>
static class WireCalls
{
    static readonly CancellationToken NoStop = CancellationToken.None;

    public static async Task<T> Get<T>(this HttpClient http, string path, JsonTypeInfo<T> answers)
        => (await http.GetFromJsonAsync(path, answers, NoStop))!;

    public static async Task<TAnswer> Post<TAsked, TAnswer>(this HttpClient http, string path, TAsked asked, JsonTypeInfo<TAsked> asks,
        JsonTypeInfo<TAnswer> answers)
    {
        using var answer = await Succeed(http.PostAsJsonAsync(path, asked, asks, NoStop));
        return (await answer.Content.ReadFromJsonAsync(answers, NoStop))!;
    }

    public static async Task<TAnswer> Post<TAnswer>(this HttpClient http, string path, JsonTypeInfo<TAnswer> answers)
    {
        using var answer = await Succeed(http.PostAsync(path, null, NoStop));
        return (await answer.Content.ReadFromJsonAsync(answers, NoStop))!;
    }

    public static async Task Post<TAsked>(this HttpClient http, string path, TAsked asked, JsonTypeInfo<TAsked> asks)
    {
        using var answer = await Succeed(http.PostAsJsonAsync(path, asked, asks, NoStop));
    }

    public static async Task Put<TAsked>(this HttpClient http, string path, TAsked asked, JsonTypeInfo<TAsked> asks)
    {
        using var answer = await Succeed(http.PutAsJsonAsync(path, asked, asks, NoStop));
    }

    static async Task<HttpResponseMessage> Succeed(Task<HttpResponseMessage> asked)
    {
        var answer = await asked;
        Assert.True(answer.IsSuccessStatusCode,
            $"{answer.RequestMessage?.RequestUri?.PathAndQuery}: {await answer.Content.ReadAsStringAsync(NoStop)}");
        return answer;
    }
}

// Print all activities of a contact, newest first, with OkHttp and Gson.
//
//   URL=http://127.0.0.1:8080 TOKEN=$(rapport token create) java -cp okhttp.jar:okio.jar:gson.jar ActivityDetails.java CONTACT_ID
//
// On Debian, libokhttp-java and libgoogle-gson-java install the jars in /usr/share/java.

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import okhttp3.HttpUrl;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;

public class ActivityDetails {
    static final String TYPES = "em_sends,em_opens,em_clicks,em_bounces,em_optouts,em_forwards,"
            + "p_contact_open,p_contact_click,p_contact_add,p_contact_update";

    public static void main(String[] arguments) throws IOException {
        if (arguments.length != 1 || System.getenv("TOKEN") == null) {
            System.err.println("usage: URL=http://127.0.0.1:8080 TOKEN=$(rapport token create) java -cp … ActivityDetails.java CONTACT_ID");
            System.exit(2);
        }
        OkHttpClient client = new OkHttpClient();
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        HttpUrl url = HttpUrl.get(System.getenv().getOrDefault("URL", "http://127.0.0.1:8080"))
                .newBuilder("/v3/reports/contact_reports")
                .addPathSegment(arguments[0])
                .addPathSegment("activity_details")
                .addQueryParameter("tracking_activities_list", TYPES)
                .build();
        while (url != null) {
            Request request = new Request.Builder()
                    .url(url)
                    .header("Authorization", "Bearer " + System.getenv("TOKEN"))
                    .build();
            JsonObject page;
            try (Response response = client.newCall(request).execute()) {
                String body = response.body().string();
                if (!response.isSuccessful()) {
                    System.err.println(body);
                    System.exit(1);
                }
                page = JsonParser.parseString(body).getAsJsonObject();
            }
            for (JsonElement element : page.getAsJsonArray("tracking_activities")) {
                JsonObject activity = element.getAsJsonObject();
                JsonElement name = activity.get("campaign_activity_name");
                out.println(String.join("\t",
                        activity.get("created_time").getAsString(),
                        activity.get("tracking_activity_type").getAsString(),
                        name == null ? "" : name.getAsString()));
            }
            // The link to the next page includes all parameters; the last page has no such link.
            JsonObject next = page.getAsJsonObject("_links").getAsJsonObject("next");
            url = next == null ? null : url.resolve(next.get("href").getAsString());
        }
        // Without this, the idle connection keeps the program running for a while.
        client.connectionPool().evictAll();
        client.dispatcher().executorService().shutdown();
    }
}
